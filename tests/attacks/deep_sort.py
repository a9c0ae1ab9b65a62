# says: deeply
def f(x):
    return sorted([x, x], key=f)  #!
f(1)
