"""The decision: which model, which endpoint, which place in the queue.

Pure: the caller passes the request, the predictions, one snapshot of the pool and the time; nothing here waits, logs,
counts or draws random numbers. The live picker, the virtual-time simulator and `chimera explain` call one function.
"""
