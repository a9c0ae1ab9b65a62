"""Evaluating derivatives at very many points: in blocks that stay in the cache, or in a compiled loop."""
