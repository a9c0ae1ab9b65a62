# says: async
async def f():  #!
    pass
