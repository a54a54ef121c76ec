"""What becomes of a pool's models: how many replicas, where, replaced how and when."""
