"""What those who run the operator see: logs, metrics, probes."""
