# says: torch.load
import torch
x = torch.load("/tmp/x.pt")  #!
