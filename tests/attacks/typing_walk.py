# says: typing.sys
import typing
typing.sys.exit()  #!
