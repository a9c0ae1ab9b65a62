# says: module ctypes
import ctypes
ctypes.CDLL(None).system(b"true")  #!
