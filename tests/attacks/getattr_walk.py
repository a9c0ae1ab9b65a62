# says: __class__
name = "__cl" + "ass__"
x = getattr((), name)  #!
