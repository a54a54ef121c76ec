"""Ask the Kubernetes API server: lists and watches, with the credentials of a pod or of a kubeconfig."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import yaml
from aiohttp.http_exceptions import HttpProcessingError

from chimera_router.errors import ApiFailure, ApiServerError, ConfigError

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # where Kubernetes mounts it in every pod

_CONNECT = 5.0  # seconds
_CALL = 60.0  # seconds for a list: as long as the API server itself works on one
_LATE = 10.0  # seconds that the end of a watch may be late before the server counts as gone

_FAILURES = {
    401: ApiFailure.UNAUTHORIZED,
    403: ApiFailure.FORBIDDEN,
    404: ApiFailure.NOT_FOUND,
    410: ApiFailure.EXPIRED,
    429: ApiFailure.THROTTLED,
}


class ApiServer:
    """One API server. Credentials are read for every call: they are replaced while a picker runs, and calls are rare.

    Args:
        kubeconfig: File with address and credentials; None for those that every pod has.
        service_account: Folder of a pod's credentials.
    """

    def __init__(self, kubeconfig: Path | None, *, service_account: Path = SERVICE_ACCOUNT) -> None:
        self._kubeconfig = kubeconfig
        self._service_account = service_account

    async def check_credentials(self) -> None:
        """Read the credentials and send nothing.

        Raises:
            ConfigError: There are none, or they cannot be read.
        """
        await (await self._client()).close()

    async def list(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return what the server says is there now.

        Raises:
            ApiServerError: It does not say.
        """
        async with self._answer(path, query, aiohttp.ClientTimeout(total=_CALL, connect=_CONNECT)) as response:
            return await response.read()

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], *, seconds: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield the events of a watch, a line each, until the server ends it after so many seconds.

        Raises:
            ApiServerError: The server refuses, or the connection breaks.
        """
        limits = aiohttp.ClientTimeout(total=None, connect=_CONNECT, sock_read=seconds + _LATE)
        whole = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        async with self._answer(path, whole, limits) as response:
            yield aiter(response.content)

    @asynccontextmanager
    async def _answer(
        self, path: str, query: Mapping[str, str], limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with await self._client() as client, await _get(client, path, query, limits) as response:
                _check(response)
                yield response
        except ConfigError:
            raise ApiServerError(ApiFailure.UNAUTHORIZED) from None
        except TimeoutError:  # first of these: aiohttp's are its own errors too
            raise ApiServerError(ApiFailure.TIMEOUT) from None
        except (aiohttp.ClientError, OSError):
            raise ApiServerError(ApiFailure.UNREACHABLE) from None
        except (ValueError, HttpProcessingError):  # the latter where a line is longer than any object can be
            raise ApiServerError(ApiFailure.MALFORMED) from None

    async def _client(self) -> "ApiClient":
        """Return a client of the library's, to be closed; files are read apart from the event loop."""
        return await asyncio.to_thread(self._open)

    def _open(self) -> "ApiClient":
        # 20 MB and a third of a second that a picker which reads files never needs.
        from kubernetes.aio.client import ApiClient, Configuration  # noqa: PLC0415
        from kubernetes.aio.config import ConfigException, load_kube_config  # noqa: PLC0415
        from kubernetes.aio.config.incluster_config import InClusterConfigLoader  # noqa: PLC0415

        settings = Configuration()
        try:
            if self._kubeconfig is not None:
                asyncio.run(load_kube_config(config_file=str(self._kubeconfig), client_configuration=settings))
            else:
                token, authority = self._service_account / "token", self._service_account / "ca.crt"
                loader = InClusterConfigLoader(str(token), str(authority), try_refresh_token=False)
                loader.load_and_set(settings)
            return ApiClient(settings)
        except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
            place = self._kubeconfig or self._service_account
            raise ConfigError(f"{place}: no credentials of a Kubernetes API server ({type(error).__name__})") from None


async def _get(
    client: "ApiClient", path: str, query: Mapping[str, str], limits: aiohttp.ClientTimeout
) -> aiohttp.ClientResponse:
    method, url, headers, *_ = await client.param_serialize(
        "GET",
        path,
        query_params=list(query.items()),
        header_params={"Accept": "application/json"},
        auth_settings=["BearerToken"],
    )
    answer = await client.call_api(method, url, headers, _request_timeout=limits)
    response: aiohttp.ClientResponse = answer.response
    return response


def _check(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        unknown = ApiFailure.SERVER_ERROR if response.status >= 500 else ApiFailure.REJECTED
        failure = _FAILURES.get(response.status, unknown)
        raise ApiServerError(failure, retry_after=_seconds(response.headers.get("Retry-After", "")))


def _seconds(text: str) -> float:
    """Return a Retry-After in seconds; Kubernetes sends no dates there."""
    return float(text) if text.isascii() and text.isdigit() else 0.0
