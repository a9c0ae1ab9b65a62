# says: numpy.tr
import numpy as np
x = np.tr
x.builder  #!
