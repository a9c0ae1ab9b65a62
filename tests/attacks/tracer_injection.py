# says: TypeError
import numpy as np
class T:
    pass
x = np.float64(0.5, tr=T())  #!
