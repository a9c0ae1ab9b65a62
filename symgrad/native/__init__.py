"""A graph as one loop in C, compiled by the machine's own compiler."""
