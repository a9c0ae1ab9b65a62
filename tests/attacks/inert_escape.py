# says: internals
import matplotlib.pyplot as plt
plt.plot.__globals__["os"].system("touch /tmp/symgrad-canary")  #!
