"""Who may call the management pages and report feedback."""
