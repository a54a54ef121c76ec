"""A real one-node Kubernetes for the tests, and the images that run on it."""
