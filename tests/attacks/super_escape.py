# says: super
x = super(str, 'a')
y = x.lower()  #!
