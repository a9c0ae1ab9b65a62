# says: type of
x = type(i for i in [])  #!
