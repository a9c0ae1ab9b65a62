# says: compile
c = compile("1", "x", "eval")  #!
