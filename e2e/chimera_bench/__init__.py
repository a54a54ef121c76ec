"""Engines to measure against, workloads to measure with, and the reports of what was measured."""
