# says: does not end
# timeout: 2
x = 0
while True: x  #!
