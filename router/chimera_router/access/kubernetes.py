"""Callers known by Kubernetes, which is asked in their own name what they may do (SelfSubjectAccessReview).

So the picker needs no right on the cluster: it could ask about nobody but those who have shown it a token.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

import aiohttp
import structlog
from kubernetes.aio import client, config

from chimera_router.access.port import Verdict, Wanted
from chimera_router.access.verdicts import Verdicts
from chimera_router.errors import ConfigError

PATIENCE = 5.0  # seconds for an answer of the API server; who calls waits ten at most
AT_ONCE = 4  # questions to the API server, however many call with tokens that nobody knows

_REFUSALS = {
    401: Verdict.UNAUTHENTICATED,  # nobody's token
    403: Verdict.FORBIDDEN,  # somebody who may not even ask, which every account may unless it was taken from it
}

_log = structlog.get_logger()


class KubernetesAuthority:
    """Asks the API server, and remembers what it said for a while.

    Args:
        api: A client that shows no credential of its own.
        clock: Seconds that never go back.
        patience: Seconds for an answer.
    """

    def __init__(self, api: client.ApiClient, *, clock: Callable[[], float], patience: float = PATIENCE) -> None:
        self._authorization = client.AuthorizationV1Api(api)
        self._clock = clock
        self._patience = patience
        self._verdicts = Verdicts()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def judge(self, token: str, wanted: Wanted) -> Verdict:
        """Return what the API server says, or said a moment ago."""
        key = sha256(token.encode()).digest(), wanted
        if known := self._verdicts.find(key, self._clock()):
            return known
        async with self._turns:
            if known := self._verdicts.find(key, self._clock()):
                return known
            verdict = await self._ask(token, wanted)
            self._verdicts.keep(key, verdict, self._clock())
            return verdict

    async def _ask(self, token: str, wanted: Wanted) -> Verdict:
        try:
            return Verdict.ADMITTED if await self._allowed(token, wanted) else Verdict.FORBIDDEN
        except client.ApiException as error:
            if error.status in _REFUSALS:
                return _REFUSALS[error.status]
            _log.error("the API server refuses to say what a caller may do", status=error.status)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Time-outs are among the second, answers that are no reviews among the third.
            _log.error("the API server does not say what a caller may do", kind=type(error).__name__)
        return Verdict.UNAVAILABLE

    async def _allowed(self, token: str, wanted: Wanted) -> bool:
        attributes = client.V1NonResourceAttributes(path=wanted.path, verb=wanted.verb)
        spec = client.V1SelfSubjectAccessReviewSpec(non_resource_attributes=attributes)
        answer = await self._authorization.create_self_subject_access_review(
            client.V1SelfSubjectAccessReview(spec=spec),
            _headers={"authorization": f"Bearer {token}"},
            _request_timeout=self._patience,
        )
        return bool(answer.status and answer.status.allowed)


@asynccontextmanager
async def opened(*, clock: Callable[[], float], patience: float = PATIENCE) -> AsyncIterator[KubernetesAuthority]:
    """Yield who asks the API server of this pod's cluster, or of KUBECONFIG's where that is set.

    Raises:
        ConfigError: There is no such cluster.
    """
    known = client.Configuration()
    try:
        if files := os.environ.get("KUBECONFIG"):
            await config.load_kube_config(files, client_configuration=known)
        else:
            config.load_incluster_config(client_configuration=known)
    except config.ConfigException as error:
        raise ConfigError("--management-auth kubernetes: needs a pod's service account, or KUBECONFIG") from error
    async with client.ApiClient(_without_credentials(known)) as api:
        yield KubernetesAuthority(api, clock=clock, patience=patience)


def _without_credentials(known: client.Configuration) -> client.Configuration:
    """Return the way to an API server without this process' own identity, which would be asked about instead."""
    bare = client.Configuration(host=known.host)
    bare.ssl_ca_cert, bare.verify_ssl, bare.tls_server_name = known.ssl_ca_cert, known.verify_ssl, known.tls_server_name
    return bare
