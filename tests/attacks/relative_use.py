# says: not found beside
from . import errors
errors.Span(1, 2)  #!
