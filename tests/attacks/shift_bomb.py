# says: shift
x = 1 << 10**10  #!
