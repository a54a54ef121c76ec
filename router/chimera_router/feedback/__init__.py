"""What applications report about answers: one message, over HTTP (on the management port) and over gRPC."""
