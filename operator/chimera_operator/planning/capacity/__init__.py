"""What accelerators there are, how many are free, and what fits their memory."""
