"""The endpoint picker protocol over ext_proc, without any I/O: events in, actions out.

Pure. Follows Envoy's full-duplex streamed mode (endpoint picker protocol 1.0.0): headers, body and trailers of each
direction are answered in that order, and a body message is only ever answered after its headers.
"""
