# says: power
x = pow(10, 10**8)  #!
