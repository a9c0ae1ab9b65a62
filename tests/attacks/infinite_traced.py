# says: more than|does not end
# timeout: 20
x = 0.5
while True:
    x = x * 0.999  #!
