# says: import \*
from math import *  #!
