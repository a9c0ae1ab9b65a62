"""Graph -> source: the correct backward pass as a person would write it, in NumPy or torch."""
