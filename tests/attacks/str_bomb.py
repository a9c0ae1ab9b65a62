# says: memory
y = "a" * 10**10  #!
