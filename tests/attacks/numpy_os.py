# says: numpy.os
import numpy as np
np.os.system("true")  #!
