# says: module symgrad
import symgrad.frontends.trace.child as c
c.os.system("true")  #!
