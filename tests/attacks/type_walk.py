# says: mro
x = type(1.0)
y = getattr(type([]), "mro")()  #!
