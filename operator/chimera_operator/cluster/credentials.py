"""Who the operator is to an API server: by a kubeconfig, or by what Kubernetes puts into every pod."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import kopf
import yaml
from kubernetes.aio import client
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from chimera_operator.cluster.errors import CredentialsError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # where Kubernetes mounts it in every pod
RENEWAL = timedelta(minutes=10)  # tokens in pods are replaced after 48 minutes at the earliest


async def load(kubeconfig: Path | None) -> client.Configuration:
    """Return address and credentials, which renew themselves.

    Args:
        kubeconfig: File that has them; None for those of this pod.

    Raises:
        CredentialsError: There are none.
    """
    configuration = client.Configuration()
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        place = kubeconfig or SERVICE_ACCOUNT
        raise CredentialsError(f"{place}: no credentials of an API server ({type(error).__name__})") from None
    return configuration


@asynccontextmanager
async def connected(kubeconfig: Path | None) -> AsyncIterator[client.ApiClient]:
    """Yield a client of the library's, closed in the end.

    Raises:
        CredentialsError: There are no credentials.
    """
    async with client.ApiClient(await load(kubeconfig)) as api:
        yield api


async def for_kopf(configuration: client.Configuration) -> kopf.ConnectionInfo:
    """Return the same for kopf, which asks again when they are due."""
    authorization = await configuration.get_api_key_with_prefix("BearerToken") or ""
    scheme, _, token = authorization.strip().rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme.capitalize() or None if token else None,
        token=token or None,
        expiration=datetime.now(UTC) + RENEWAL,
    )
