# says: reaches into
x = 0.5
print("{0.__class__}".format(x))  #!
