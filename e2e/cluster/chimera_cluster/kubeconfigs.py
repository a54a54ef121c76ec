"""How a client finds an API server and says who it is."""

from collections.abc import Mapping
from pathlib import Path

import yaml


def kubeconfig(server: str, authority: Path, user: Mapping[str, str]) -> str:
    """Return a kubeconfig.

    Args:
        server: URL of the API server.
        authority: Certificate that signed the server's.
        user: What the client shows, in a kubeconfig's words.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "chimera",
        "contexts": [{"name": "chimera", "context": {"cluster": "chimera", "user": "chimera"}}],
        "clusters": [{"name": "chimera", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "chimera", "user": dict(user)}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def certificate(folder: Path, name: str) -> dict[str, str]:
    """Return a user who shows name.crt."""
    return {"client-certificate": str(folder / f"{name}.crt"), "client-key": str(folder / f"{name}.key")}
