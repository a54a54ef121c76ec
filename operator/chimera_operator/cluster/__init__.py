"""The cluster: asked, mirrored and written to. What should be there is decided elsewhere."""
