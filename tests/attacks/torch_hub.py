# says: torch.hub
import torch
m = torch.hub.load("a/b", "c")  #!
