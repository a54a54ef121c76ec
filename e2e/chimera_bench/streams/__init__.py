"""Streams by the thousand: a gateway opens them all at once, or gives them up as fast as it can.

Measured on one HTTP/2 connection to a picker process, without a gateway in between that would spread them.
"""
