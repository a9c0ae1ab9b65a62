# says: module socket
import socket
s = socket.socket()  #!
