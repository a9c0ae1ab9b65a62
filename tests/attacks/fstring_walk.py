# says: __class__
x = 0.5
print(f"{x.__class__}")  #!
