# says: memory
y = bytes(10**11)  #!
