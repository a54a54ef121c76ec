"""A real vLLM on this machine: its environment, models small enough for CPUs, and what it is asked about itself."""
