# says: unexpected keyword|unsupported|these options|TypeError
import numpy as np
x = np.random.rand(name="__reduce__")  #!
