# says: memory
x = 0.5
y = [0] * 10**10  #!
