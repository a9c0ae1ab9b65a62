# says: vars
class A:
    pass
v = vars(A)  #!
