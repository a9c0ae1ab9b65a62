# says: __del__
class A:
    def __del__(self):  #!
        print("late")
