"""Faults that are really made, and what becomes of the requests: the picker, Envoy and all processes are real."""
