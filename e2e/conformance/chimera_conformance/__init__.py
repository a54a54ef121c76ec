"""Holds any endpoint picker against the endpoint picker protocol 1.0.0, as a gateway sees it.

A black box: the kit knows an address, the pool's endpoints and a model's name, and drives ext_proc over gRPC, or HTTP
through the real Envoy. It knows no picker's policy, and imports none.
"""
