# says: memory|OverflowError
y = "%9000000000d" % 1  #!
