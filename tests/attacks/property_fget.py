# says: fget
class A:
    @property
    def p(self):
        return 1
x = getattr(A.p, "fget")  #!
