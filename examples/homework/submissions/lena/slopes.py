def tanh_slope(h):
    """The derivative of tanh, by its output."""
    return 1 - h * h
