# says: format_map
x = "{x.__class__}".format_map({"x": 1})  #!
