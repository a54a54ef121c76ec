"""The pool as processes of this machine."""
