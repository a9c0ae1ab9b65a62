# says: tofile
import numpy as np
x = np.array([1.0])
x.tofile('/tmp/symgrad-canary')  #!
