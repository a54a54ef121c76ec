"""The data plane: an endpoint picker that chooses model and replica for every request of a pool."""
