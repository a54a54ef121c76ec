"""What endpoint pickers cost behind the real Envoy: load, stand-ins for engines, figures."""
