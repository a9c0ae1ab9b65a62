# says: __array_interface__
import numpy as np
x = np.array([1.0, 2.0])
y = getattr(x, "__array_interface__")  #!
