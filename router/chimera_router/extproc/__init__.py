"""The ext_proc server: gRPC messages to protocol events, and actions back. Translates; decides nothing."""
