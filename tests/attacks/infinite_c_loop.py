# says: does not end
# timeout: 2
import itertools
x = any(i < 0 for i in []) or all(map(bool, itertools.repeat(1)))  #!
