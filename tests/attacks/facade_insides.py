# says: _found
import numpy as np
x = np._found  #!
