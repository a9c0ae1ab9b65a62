# says: gi_frame
g = (i for i in range(3))
x = getattr(g, "gi_" + "frame")  #!
