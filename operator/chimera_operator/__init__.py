"""The control plane: what a pool is, what follows from it, and the same pool as local processes."""
