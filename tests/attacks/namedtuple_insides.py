# says: _make|_fields|_source|leads into
from collections import namedtuple
P = namedtuple("P", "a b")
x = P._make  #!
