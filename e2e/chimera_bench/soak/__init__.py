"""Every kind of request for a long while, and what stays behind."""
