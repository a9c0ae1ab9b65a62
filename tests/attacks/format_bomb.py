# says: memory
y = f"{0.5:10000000000}"  #!
