"""A run as seen from one of its results: what it was made of is the forward pass, what came besides the derivation."""
