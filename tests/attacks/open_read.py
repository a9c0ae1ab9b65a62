# says: open
text = open("/etc/passwd").read()  #!
