# says: does not end|memory
# timeout: 3
d = {hash((i,)): i for i in range(10**10)}  #!
