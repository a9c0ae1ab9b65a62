# says: open
with open('/tmp/symgrad-canary', "w") as f:  #!
    f.write("x")
