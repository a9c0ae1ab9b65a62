# says: inherit
class F(float):  #!
    pass
