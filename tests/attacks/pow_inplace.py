# says: power
a = [10]
a[0] **= 10**8  #!
