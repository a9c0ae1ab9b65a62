# says: module sys
import sys
sys.exit(0)  #!
