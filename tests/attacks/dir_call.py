# says: dir
v = dir(1.0)  #!
