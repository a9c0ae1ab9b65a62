# says: reaches into
print("{0[a]}".format({"a": 1}))  #!
