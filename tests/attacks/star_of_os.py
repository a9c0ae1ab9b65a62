# says: name 'system' is not defined
from os import *
system("touch /tmp/symgrad-canary")  #!
