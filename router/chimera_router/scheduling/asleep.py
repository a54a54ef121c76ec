"""Models without an engine that get one when somebody asks: what would be decided if an idle engine stood there."""

from dataclasses import replace

from chimera_router.scheduling.types import Endpoint, EndpointState, Model, PoolSnapshot

NOWHERE = ""
"""Address of an engine that is not there yet."""


def with_stand_ins(snapshot: PoolSnapshot) -> PoolSnapshot:
    """Return the snapshot with an idle engine for each model that sleeps; the same one where none does.

    A model sleeps where no endpoint of it is ready and its `wake` allows requests to wait for one.
    """
    sleepers = [model for model in snapshot.models.values() if model.wake > 0 and not _served(model, snapshot)]
    if not sleepers:
        return snapshot
    nowhere = (Endpoint(name=model.name, address=NOWHERE, model=model.name) for model in sleepers)
    return replace(snapshot, endpoints=(*snapshot.endpoints, *(EndpointState(endpoint=each) for each in nowhere)))


def _served(model: Model, snapshot: PoolSnapshot) -> bool:
    return any(state.ready and state.endpoint.model == model.name for state in snapshot.endpoints)
