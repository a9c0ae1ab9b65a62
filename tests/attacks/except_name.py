# says: __sg_check__
try:
    x = 1 / 0
except ZeroDivisionError as __sg_check__:  #!
    pass
