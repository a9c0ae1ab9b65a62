# says: attribute|available
book = open("book.txt")
book._lines.append("x")  #!
