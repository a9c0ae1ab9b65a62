# says: __import__
os = __import__("os")  #!
