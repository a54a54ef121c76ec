"""What each model will make of a request: the trained bundle, and medians where it cannot answer."""
