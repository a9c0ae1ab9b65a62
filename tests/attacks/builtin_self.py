# says: __self__
x = print.__self__  #!
