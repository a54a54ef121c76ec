"""From a pool to what runs it, as plain data: nothing here reads a file, starts a process or knows a clock."""
