# says: does not end
# timeout: 2
def f():  #!
    try:  #!
        return 1  #!
    except BaseException:
        return 2


def g():
    return f()  #!


while True:  #!
    f()  #!
