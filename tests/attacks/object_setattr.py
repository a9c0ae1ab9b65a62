# says: __setattr__
class A:
    pass
object.__setattr__(A(), "x", 1)  #!
