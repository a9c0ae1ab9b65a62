# says: cannot be replaced
import numpy as np
np.tanh = lambda x: x  #!
