# says: open
text = open("../../etc/passwd.txt").read()  #!
