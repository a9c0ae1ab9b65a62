# says: operator.attrgetter
from operator import attrgetter
x = attrgetter("__class__")(1)  #!
