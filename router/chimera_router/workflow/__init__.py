"""Which workflow a request belongs to, and how far that workflow is.

Pure: the clock and the source of new ids are arguments.
"""
