# says: a number is needed
import numpy as np
class T:
    def __mul__(self, other):
        return self
x = np.linspace(T(), T(), 3)  #!
