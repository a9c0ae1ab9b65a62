# says: numpy.load
import numpy as np
x = np.load("/tmp/x.npy", allow_pickle=True)  #!
