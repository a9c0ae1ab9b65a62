# says: outside the sandbox \(import\)
x = 'a'.encode('zlib_codec')  #!
