# says: process down|memory|does not end
# timeout: 5
from itertools import chain

it = iter([])
for i in range(10**6):  #!
    it = chain(it)  #!
x = list(it)  #!
