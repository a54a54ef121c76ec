"""HTTP/2 (RFC 9113) for one side of it and one use: a server of gRPC calls. Bytes in, bytes out; no sockets, no clock.

One call of `Connection.receive` handles every frame that a read brought, for all streams, and all answers leave in one
write; that is what makes it cheap.
"""
