# says: not available|no attribute|leads
import math
x = isinstance(1.0, (float, (int,)))
y = math.__class__  #!
