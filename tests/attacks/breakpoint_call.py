# says: breakpoint
breakpoint()  #!
