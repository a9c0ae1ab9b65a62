# says: __slots__
class A:
    __slots__ = ("a",)  #!
