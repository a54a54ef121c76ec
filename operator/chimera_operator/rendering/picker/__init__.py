"""From a pool to its endpoint picker."""
