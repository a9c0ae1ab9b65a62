# says: module os
from os import system
system("touch /tmp/symgrad-canary")  #!
