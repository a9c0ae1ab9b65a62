# says: __mro_entries__
class A:
    def __mro_entries__(self, bases):  #!
        return (str,)
