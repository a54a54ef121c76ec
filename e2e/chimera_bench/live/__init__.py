"""Cells of a comparison on real servers: Envoy, the picker, simulated engines over HTTP, in scaled time."""
