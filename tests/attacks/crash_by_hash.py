# says: process down|memory
t = ()
for i in range(10**6):
    t = (t,)
x = hash(t)  #!
