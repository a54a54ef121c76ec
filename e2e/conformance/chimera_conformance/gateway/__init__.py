"""The real Envoy before the picker under test, engines of the kit's own behind it, and a client."""
