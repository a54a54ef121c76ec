"""What operators see: metrics and logs, free of prompts, keys and tenants."""
