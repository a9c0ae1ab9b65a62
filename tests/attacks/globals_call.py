# says: globals
x = 0.5
g = globals()  #!
