# says: _thread
import _thread  #!
