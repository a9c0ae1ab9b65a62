# says: torch.save
import torch
torch.save(torch.tensor(1.0), '/tmp/symgrad-canary')  #!
