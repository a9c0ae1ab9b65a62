# says: does not end
# timeout: 2
def f():
    try:
        while True: 1  #!
    except BaseException:
        f()
    finally:
        f()
f()
