# says: match
x = 0.5
match x:  #!
    case float(__class__=c):
        pass
