# says: __dict__
import numpy as np
x = np.__dict__  #!
