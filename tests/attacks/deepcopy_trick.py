# says: copy|traced
import copy
x = copy.deepcopy(print)  #!
