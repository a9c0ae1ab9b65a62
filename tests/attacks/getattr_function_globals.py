# says: __globals__
import math
x = math.sqrt.__globals__  #!
