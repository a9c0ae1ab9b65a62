# says: input
x = input()  #!
