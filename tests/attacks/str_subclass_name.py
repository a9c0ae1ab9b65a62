# says: __class__
parts = ["__", "class", "__"]
setattr(print, "".join(parts), 1)  #!
