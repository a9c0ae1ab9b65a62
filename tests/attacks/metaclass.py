# says: metaclass
class A(metaclass=print):  #!
    pass
