# says: the name __import__ leads into Python's internals
import jax

jax.vmap(__import__)(["os"])  #!
