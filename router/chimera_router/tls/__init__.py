"""Certificates: made or read, checked, and swapped under running servers."""
