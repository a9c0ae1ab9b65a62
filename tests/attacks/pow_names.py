# says: power
a = 10
b = 10**8
x = a ** b  #!
