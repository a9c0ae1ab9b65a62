# says: module threading
import threading
threading.Thread(target=print).start()  #!
