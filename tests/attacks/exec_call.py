# says: exec
exec("open('/tmp/symgrad-canary', 'w')")  #!
