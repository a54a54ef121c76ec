"""The pool as processes of this machine."""

from chimera_operator.local.documents import load_pool, sample_pool, with_routing
from chimera_operator.local.errors import LocalError
from chimera_operator.local.pool import RunningPool, serve

__all__ = ["LocalError", "RunningPool", "load_pool", "sample_pool", "serve", "with_routing"]
