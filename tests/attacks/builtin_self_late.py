# says: __self__
x = getattr(len, "__se" + "lf__")  #!
