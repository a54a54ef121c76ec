"""Flow control: which requests wait in the picker while no engine can take them, in what order, and which are refused.

Pure: the caller passes requests, what the engines have room for and the time. The live picker and the virtual-time
simulator ask the same queue.
"""
