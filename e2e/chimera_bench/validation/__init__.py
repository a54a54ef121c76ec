"""The engine simulator beside what is known: closed forms of queueing theory, and published measurements."""
