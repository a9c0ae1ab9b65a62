# says: with_traceback
try:
    x = 1 / 0
except ZeroDivisionError as e:
    y = e.with_traceback  #!
