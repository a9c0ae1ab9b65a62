# says: cannot be replaced
import torch
setattr(torch, "tanh", lambda x: x)  #!
