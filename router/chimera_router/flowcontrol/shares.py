"""Share the engines fairly between tenants: start-time fair queueing (Goyal et al., SIGCOMM 1996)."""

_KEPT = 1000  # tenants without requests that are remembered before those with nothing to their account are forgotten


class FairShares:
    """Whose turn it is. Every tenant has a tag, in tokens: what it was served since the others waited.

    The tenant with the least tag goes next and its tag grows by what the request costs, so two tenants that both wait
    are never further apart than the cost of one request of each. Who comes back starts at the tag served last: time
    without requests earns no credit.
    """

    def __init__(self) -> None:
        self._tags: dict[str, float] = {}
        self._left: dict[str, float] = {}
        self._served = 0.0

    def enter(self, tenant: str) -> None:
        """A tenant has something waiting now."""
        self._tags[tenant] = max(self._served, self._left.pop(tenant, 0.0))

    def leave(self, tenant: str) -> None:
        """A tenant has nothing waiting any more."""
        self._left[tenant] = self._tags.pop(tenant)
        if not self._tags:
            self._left.clear()
            self._served = 0.0
        elif len(self._left) > _KEPT:
            self._left = {name: tag for name, tag in self._left.items() if tag > self._served}

    def tag(self, tenant: str) -> float:
        """Return the tag of a tenant that has something waiting; the least goes next."""
        return self._tags[tenant]

    def charge(self, tenant: str, cost: float) -> None:
        """A request of the tenant goes to an engine."""
        self._served = max(self._served, self._tags[tenant])
        self._tags[tenant] += cost
