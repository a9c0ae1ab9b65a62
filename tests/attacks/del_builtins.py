# says: __builtins__
del __builtins__  #!
