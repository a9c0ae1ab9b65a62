# says: __builtins__
x = __builtins__["open"]  #!
