# says: numpy.memmap
import numpy as np
x = np.memmap('/tmp/symgrad-canary', mode="w+", shape=(4,))  #!
