# says: power
x = 2**2**40  #!
