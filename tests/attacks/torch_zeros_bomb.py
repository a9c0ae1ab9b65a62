# says: too large
import torch
x = torch.zeros(10**5, 10**5)  #!
