# says: prints too much
for i in range(10**9):
    print("x" * 1000)  #!
