# says: relative
from . import errors  #!
