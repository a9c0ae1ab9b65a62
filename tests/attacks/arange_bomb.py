# says: too large
import numpy as np
x = np.arange(10**10)  #!
