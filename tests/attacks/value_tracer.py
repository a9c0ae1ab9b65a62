# says: tr
import numpy as np
x = np.array([1.0, 2.0])
hasattr(x, "tr")
x.ctypes.data_as(1)  #!
