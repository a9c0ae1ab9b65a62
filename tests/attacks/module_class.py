# says: type of
import math
x = type(math)  #!
