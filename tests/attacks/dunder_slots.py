# says: __slots__
class A:
    __slots__ = ("a",)
print(A.__slots__)  #!
