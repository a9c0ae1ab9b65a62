# says: module subprocess
import subprocess as sp
x = 0.5
sp.run(["touch", '/tmp/symgrad-canary'])  #!
