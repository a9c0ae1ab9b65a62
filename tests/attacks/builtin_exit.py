# says: exit
x = 0.5
exit()  #!
