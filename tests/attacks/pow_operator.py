# says: power|operator.pow
import operator
x = operator.pow(10, 10**8)  #!
