# says: numpy.fromfile
import numpy as np
x = np.fromfile("/etc/passwd")  #!
