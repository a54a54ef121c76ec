"""The management interface, apart from the data path: probes, metrics, status, explain, feedback."""
