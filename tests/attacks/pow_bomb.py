# says: power
x = 10**10**8  #!
