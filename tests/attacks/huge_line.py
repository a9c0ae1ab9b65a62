# says: prints too much
print("x" * 10**7)  #!
