# says: __sg_import__
import math as __sg_import__  #!
