# says: obj
try:
    x = (1.0).foo
except AttributeError as e:
    y = e.obj  #!
