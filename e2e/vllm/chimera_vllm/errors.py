"""What can keep vLLM from being had here."""


class VllmError(Exception):
    """One line that says what is missing or failed, and what to do about it."""
