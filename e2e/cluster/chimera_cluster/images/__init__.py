"""Container images: built by whatever builder is found, kept as archives that any cluster can load."""
