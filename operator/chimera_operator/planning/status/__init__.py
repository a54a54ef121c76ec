"""What is told of a pool: its conditions, its status, its Events."""
