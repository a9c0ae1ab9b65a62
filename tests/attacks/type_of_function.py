# says: type of
x = type(lambda: 0)  #!
