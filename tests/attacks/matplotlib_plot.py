# says: module matplotlib
import matplotlib.pyplot as plt
x = 0.5
plt.plot([x])  #!
