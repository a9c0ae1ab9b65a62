# says: __traceback__
try:
    x = 1 / 0
except ZeroDivisionError as e:
    f = e.__traceback__.tb_frame  #!
