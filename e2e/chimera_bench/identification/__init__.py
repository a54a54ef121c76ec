"""How surely the picker finds a request's workflow when no header names it, measured on recorded workflows."""
