# says: too large
import numpy as np
x = np.random.randn(10**5, 10**5)  #!
