# says: collections._sys|leads into
import collections
x = collections._sys  #!
