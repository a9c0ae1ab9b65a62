# says: exec
e = [exec][0]
e("open('/tmp/symgrad-canary', 'w')")  #!
