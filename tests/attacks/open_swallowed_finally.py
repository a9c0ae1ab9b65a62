# says: open
def f():
    try:
        return open('/tmp/symgrad-canary', "w")  #!
    finally:
        return 1
x = f() * 0.5
