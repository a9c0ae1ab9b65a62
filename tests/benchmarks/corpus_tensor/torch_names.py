"""Character model with batch norm, differentiated tensor by tensor in torch without autograd."""

# loss: loss
# inputs: C W1 bngain bnbias W2 b2
# gradients: dC=C dW1=W1 dbngain=bngain dbnbias=bnbias dW2=W2 db2=b2
import torch

torch.manual_seed(32)
n, block, n_embd, n_hidden, vocab = 5, 2, 3, 4, 6
Xb = torch.tensor([[0, 3], [3, 1], [5, 0], [2, 2], [1, 3]])
Yb = torch.tensor([1, 4, 3, 0, 5])
C = torch.randn(vocab, n_embd, dtype=torch.float64)
W1 = torch.randn(n_embd * block, n_hidden, dtype=torch.float64) * 0.6
bngain = torch.randn(1, n_hidden, dtype=torch.float64) * 0.1 + 1.0
bnbias = torch.randn(1, n_hidden, dtype=torch.float64) * 0.1
W2 = torch.randn(n_hidden, vocab, dtype=torch.float64) * 0.6
b2 = torch.randn(vocab, dtype=torch.float64) * 0.1

emb = C[Xb]
embcat = emb.view(emb.shape[0], -1)
hprebn = embcat @ W1
bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
bndiff = hprebn - bnmeani
bnvar = 1 / (n - 1) * (bndiff**2).sum(0, keepdim=True)
bnvar_inv = (bnvar + 1e-5) ** -0.5
bnraw = bndiff * bnvar_inv
hpreact = bngain * bnraw + bnbias
h = torch.tanh(hpreact)
logits = h @ W2 + b2
counts = logits.exp()
counts_sum = counts.sum(1, keepdim=True)
counts_sum_inv = counts_sum**-1
probs = counts * counts_sum_inv
logprobs = probs.log()
loss = -logprobs[range(n), Yb].mean()

# --- manual
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0 / n
dprobs = (1.0 / probs) * dlogprobs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
dcounts = counts_sum_inv * dprobs
dcounts_sum = (-(counts_sum**-2)) * dcounts_sum_inv
dcounts += torch.ones_like(counts) * dcounts_sum
dlogits = counts * dcounts
dh = dlogits @ W2.T
dW2 = h.T @ dlogits
db2 = dlogits.sum(0)
dhpreact = (1.0 - h**2) * dh
dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
dbnraw = bngain * dhpreact
dbnbias = dhpreact.sum(0, keepdim=True)
dbndiff = bnvar_inv * dbnraw
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = (-0.5 * (bnvar + 1e-5) ** -1.5) * dbnvar_inv
dbndiff2 = (1.0 / (n - 1)) * torch.ones_like(bndiff) * dbnvar
dbndiff += (2 * bndiff) * dbndiff2
dhprebn = dbndiff.clone()
dbnmeani = (-dbndiff).sum(0)
dhprebn += 1.0 / n * (torch.ones_like(hprebn) * dbnmeani)
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
demb = dembcat.view(emb.shape)
dC = torch.zeros_like(C)
for k in range(Xb.shape[0]):
    for j in range(Xb.shape[1]):
        ix = Xb[k, j]
        dC[ix] += demb[k, j]
print(dC, dW1)
