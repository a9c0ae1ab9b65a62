# says: __code__
def f(x):
    return x
f.__code__ = 1  #!
