# says: __builtins__
def f():
    global __builtins__  #!
    return 1
f()
