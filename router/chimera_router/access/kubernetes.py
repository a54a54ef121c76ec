"""Callers known by Kubernetes: who bears a token (TokenReview), and what it may do (SubjectAccessReview)."""

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

_log = structlog.get_logger()


class KubernetesAuthority:
    """Asks the API server, and remembers what it said for a while.

    Args:
        api: A client that may create TokenReviews and SubjectAccessReviews.
        clock: Seconds that never go back.
        patience: Seconds for an answer.
    """

    def __init__(self, api: client.ApiClient, *, clock: Callable[[], float], patience: float = PATIENCE) -> None:
        self._authentication = client.AuthenticationV1Api(api)
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
            user = await self._bearer(token)
            if user is None:
                return Verdict.UNAUTHENTICATED
            return Verdict.ADMITTED if await self._allowed(user, wanted) else Verdict.FORBIDDEN
        except client.ApiException as error:
            _log.error("the API server refuses to say who calls", status=error.status)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Time-outs are among the second, answers that are no reviews among the third.
            _log.error("the API server does not say who calls", kind=type(error).__name__)
        return Verdict.UNAVAILABLE

    async def _bearer(self, token: str) -> client.V1UserInfo | None:
        review = client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token))
        answer = await self._authentication.create_token_review(review, _request_timeout=self._patience)
        return answer.status.user if answer.status and answer.status.authenticated else None

    async def _allowed(self, user: client.V1UserInfo, wanted: Wanted) -> bool:
        spec = client.V1SubjectAccessReviewSpec(
            user=user.username,
            uid=user.uid,
            groups=user.groups,
            extra=user.extra,
            non_resource_attributes=client.V1NonResourceAttributes(path=wanted.path, verb=wanted.verb),
        )
        review = client.V1SubjectAccessReview(spec=spec)
        answer = await self._authorization.create_subject_access_review(review, _request_timeout=self._patience)
        return bool(answer.status and answer.status.allowed)


@asynccontextmanager
async def opened(*, clock: Callable[[], float], patience: float = PATIENCE) -> AsyncIterator[KubernetesAuthority]:
    """Yield who asks the API server of this pod's cluster, or of KUBECONFIG's where that is set.

    Raises:
        ConfigError: There is no such cluster.
    """
    configuration = client.Configuration()
    try:
        if files := os.environ.get("KUBECONFIG"):
            await config.load_kube_config(files, client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise ConfigError("--management-auth kubernetes: needs a pod's service account, or KUBECONFIG") from error
    async with client.ApiClient(configuration) as api:
        yield KubernetesAuthority(api, clock=clock, patience=patience)
