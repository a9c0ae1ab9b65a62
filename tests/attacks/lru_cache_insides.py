# says: cache_info|not available
from functools import lru_cache
@lru_cache(None)
def f(x):
    return x
f.cache_info()  #!
