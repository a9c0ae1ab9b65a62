# says: inherit
class S(str):  #!
    def startswith(self, *a):
        return False
