# says: __class__
ｘ = 0.5
y = ｘ.__ｃlass__  #!
