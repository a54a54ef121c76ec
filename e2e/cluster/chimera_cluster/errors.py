"""What can keep a cluster or an image from being made."""


class ClusterError(Exception):
    """One line that says what is missing or failed, and what to do about it."""
