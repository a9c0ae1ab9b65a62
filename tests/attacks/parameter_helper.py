# says: __sg_getattr__
def f(__sg_getattr__):  #!
    return [].append
f(1)
