# says: module pickle
import pickle
pickle.loads(b"cos\nsystem\n(S'true'\ntR.")  #!
