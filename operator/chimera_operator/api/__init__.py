"""The pool resource: its types, the rules a document must keep, and what to say when it breaks one."""
