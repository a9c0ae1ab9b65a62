# says: type
x = type("A", (object,), {"__getattribute__": print})  #!
