# says: cannot be set
def f(x):
    return x
f.cache = 1  #!
