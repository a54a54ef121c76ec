"""Asking the models of a running pool the probes, and what a bundle makes of their answers."""
