# says: __globals__
import math
x = getattr(math.sqrt, "__glo" + "bals__")  #!
