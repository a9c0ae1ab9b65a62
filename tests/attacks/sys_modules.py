# says: module sys
import sys
os = sys.modules["os"]  #!
