# says: __builtins__
__builtins__ = {}  #!
