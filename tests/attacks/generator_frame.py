# says: gi_frame
g = (i for i in range(3))
x = g.gi_frame.f_globals  #!
