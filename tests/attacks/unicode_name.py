# says: __builtins__
x = __ｂuiltins__  #!
