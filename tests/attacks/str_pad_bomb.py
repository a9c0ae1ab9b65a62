# says: memory
y = "a".ljust(10**10)  #!
