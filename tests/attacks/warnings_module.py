# says: warnings.sys
import warnings
warnings.sys.exit()  #!
