# says: eval
eval("open('/tmp/symgrad-canary', 'w')")  #!
