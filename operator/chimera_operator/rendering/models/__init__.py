"""From a model to the objects that serve it."""
