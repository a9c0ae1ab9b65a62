# says: memory
y = [1.5]
for i in range(60):
    y = y + y  #!
