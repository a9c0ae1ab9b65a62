# says: locals
l = locals()  #!
