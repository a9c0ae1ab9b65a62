# says: reaches into
print("{0:{1.real}}".format(1.0, 3))  #!
