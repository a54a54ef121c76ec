"""The `chimera` command: one module a subcommand."""
