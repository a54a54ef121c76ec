"""Read and write single objects. Every write is a server-side apply or a deletion of exactly what was seen."""

from chimera_operator.cluster import resources
from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.port import Api, Call, Verb
from chimera_operator.rendering.kinds import Kind
from chimera_operator.rendering.manifest import MANAGER, Manifest, ObjectKey, key_of

STRICT = {"fieldManager": MANAGER, "fieldValidation": "Strict"}  # an unknown field is a mistake of ours, never dropped


async def read(api: Api, key: ObjectKey) -> Manifest | None:
    """Return an object as it is now; None where there is none.

    Raises:
        ApiServerError: The server does not say.
    """
    try:
        return decoded(await api.call(Call(verb=Verb.GET, path=_path(key))))
    except ApiServerError as error:
        if error.failure is ApiFailure.NOT_FOUND:
            return None
        raise


async def apply(api: Api, intent: Manifest) -> Manifest:
    """Return the object once it is as intended.

    Raises:
        ApiServerError: The server refuses; with causes where other managers have fields of the intent.
    """
    return await _apply(api, intent, {})


async def take(api: Api, intent: Manifest) -> Manifest:
    """Return the object once it is as intended, its fields taken from whoever has them.

    Raises:
        ApiServerError: The server refuses.
    """
    return await _apply(api, intent, {"force": "true"})


async def apply_status(api: Api, key: ObjectKey, status: Manifest) -> Manifest:
    """Return the object once its status is this one.

    Raises:
        ApiServerError: The server refuses.
    """
    metadata = {"name": key.name, "namespace": key.namespace}
    body = {"apiVersion": key.api_version, "kind": key.kind, "metadata": metadata, "status": status}
    query = {**STRICT, "force": "true"}
    call = Call(verb=Verb.APPLY, path=_path(key, "status"), query=query, body=body)
    return decoded(await api.call(call))


async def delete(api: Api, live: Manifest) -> None:
    """Delete an object, and in time what it owns, unless it has changed since it was seen.

    Raises:
        ApiServerError: The server refuses; a conflict where it has changed.
    """
    metadata = live["metadata"]
    same = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": same, "propagationPolicy": "Background"}
    try:
        await api.call(Call(verb=Verb.DELETE, path=_path(key_of(live)), body=options))
    except ApiServerError as error:
        if error.failure is not ApiFailure.NOT_FOUND:
            raise


async def _apply(api: Api, intent: Manifest, force: dict[str, str]) -> Manifest:
    call = Call(verb=Verb.APPLY, path=_path(key_of(intent)), query={**STRICT, **force}, body=intent)
    return decoded(await api.call(call))


def _path(key: ObjectKey, subresource: str = "") -> str:
    kind = Kind(key.api_version, key.kind)
    return resources.path(kind, namespace=key.namespace, name=key.name, subresource=subresource)
