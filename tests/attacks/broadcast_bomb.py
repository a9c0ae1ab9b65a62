# says: in all|memory
import numpy as np
a = np.zeros((3000000, 1))
b = np.zeros((1, 3000000))  #!
c = a + b  #!
