# says: __sg_bind__
x = __sg_bind__(0, 1, "")  #!
