# says: SystemExit
x = 0.5
raise SystemExit(0)  #!
