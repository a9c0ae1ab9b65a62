# says: module os
import os
os.system("touch /tmp/symgrad-canary")  #!
