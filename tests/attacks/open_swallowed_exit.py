# says: open
class Hide:
    def __enter__(self):
        return self
    def __exit__(self, kind, value, trace):
        return True
with Hide():
    open('/tmp/symgrad-canary', "w")  #!
x = 0.5
