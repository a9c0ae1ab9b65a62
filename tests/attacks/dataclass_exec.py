# says: make_dataclass
from dataclasses import make_dataclass
x = make_dataclass("A", ["x: __import__('os')"])  #!
