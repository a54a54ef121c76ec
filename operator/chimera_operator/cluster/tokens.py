"""A token for the pickers' status pages, of a service account that may read them and nothing else.

The operator's own token would give whoever overhears it, or stands in for a picker, the operator's rights.
"""

from collections.abc import Callable

import structlog

from chimera_operator.cluster import resources
from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.errors import ApiServerError
from chimera_operator.cluster.port import Api, Call, Verb
from chimera_operator.planning.reading.objects import part
from chimera_operator.rendering.kinds import SERVICE_ACCOUNT

LIFETIME = 3600  # seconds, of a token
RENEWAL = 0.8  # of the lifetime, as kubelets renew tokens
RETRY = 30.0  # seconds after a failure

_log = structlog.get_logger()


class StatusToken:
    """Asks for a token, and again before it ends.

    Args:
        api: The server.
        namespace: Of the service account.
        account: Its name; empty where there is none.
        clock: Seconds, monotonic.
    """

    def __init__(self, api: Api, namespace: str, account: str, *, clock: Callable[[], float]) -> None:
        self._api = api
        self._path = resources.path(SERVICE_ACCOUNT, namespace=namespace, name=account, subresource="token")
        self._account = account
        self._clock = clock
        self._token: str | None = None
        self._renew_at = clock()

    async def __call__(self) -> str | None:
        """Return the token; None where there is none now."""
        if self._account and self._clock() >= self._renew_at:
            await self._renew()
        return self._token

    async def _renew(self) -> None:
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body = {**kind, "spec": {"expirationSeconds": LIFETIME}}
        self._renew_at = self._clock() + RETRY
        try:
            answer = decoded(await self._api.call(Call(verb=Verb.CREATE, path=self._path, body=body)))
        except ApiServerError as error:
            _log.warning("no token for the pickers' status pages", failure=error.failure)
            return
        self._token = part(answer, "status").get("token")
        self._renew_at = self._clock() + LIFETIME * RENEWAL
