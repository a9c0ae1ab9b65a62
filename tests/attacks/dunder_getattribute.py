# says: __getattribute__
class A:
    def __getattribute__(self, name):  #!
        return 1
