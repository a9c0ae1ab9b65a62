# says: memory
y = []
while True:
    y = y + [0] * 1000000  #!
