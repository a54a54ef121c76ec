"""How much of the answers is looked at, and what is known of those that pass unseen.

Pure. Looking at every piece of an answer costs most of what a picker costs; so it may be told to look at the headers
alone, or at nothing, or at as many answers as it has time for.
"""
