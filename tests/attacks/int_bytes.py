# says: from_bytes|to_bytes
x = (1).to_bytes(10**9, "big")  #!
