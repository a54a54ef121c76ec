"""From a pool to what leads requests to it."""
