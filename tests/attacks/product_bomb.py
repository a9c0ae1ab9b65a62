# says: memory|does not end
# timeout: 3
import itertools
x = list(itertools.product(range(1000), repeat=5))  #!
