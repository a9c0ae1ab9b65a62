# says: open
x = 0.5
try:
    open('/tmp/symgrad-canary', "w")  #!
except Exception:
    x = 1.0
y = x * 2
