# says: async
async def f():  #!
    await f()
