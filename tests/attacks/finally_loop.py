# says: does not end|open is not
# timeout: 2
def f():
    try:
        open('/tmp/symgrad-canary', 'w')  #!
    finally:
        while True: 1  #!
f()
