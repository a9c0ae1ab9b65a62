# says: inherit
import torch
class T(torch.Tensor):  #!
    pass
