# says: func|not available
from functools import partial
p = partial(print, 1)
x = p.func  #!
