# says: numpy.save
import numpy as np
np.save('/tmp/symgrad-canary', np.array([1.0]))  #!
