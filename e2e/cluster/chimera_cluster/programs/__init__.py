"""The programs of a cluster, each built once for a user from Go modules."""
