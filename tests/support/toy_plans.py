"""A planner that is simple enough to be foreseen: a few real objects a pool, status from what was observed."""

from collections.abc import Iterator
from datetime import datetime

from chimera_operator.api.conditions import ConditionType, Finding, conditions
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.names import MODEL_LABEL, model_object_name, pool_object_name
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.pooled_model import PooledModelStatus
from chimera_operator.api.status import ModelStatus, PoolStatus
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.reading.objects import part
from chimera_operator.planning.result import Plan
from chimera_operator.rendering import kinds
from chimera_operator.rendering.kinds import Kind
from chimera_operator.rendering.manifest import ENGINE, PICKER, Manifest, labels, new, selector


def toy_plan(pool: HeterogeneousModelPool, observed: Observed, _memory: Memory, *, now: datetime) -> Plan:
    """Return the objects of a pool: an account, a Service, and for each model its PooledModel, ConfigMap, Deployment.

    There is an InferencePool where the server has that kind. A pool is ready once every Deployment is.
    """
    found = {each["metadata"]["name"]: each for each in observed.of_kind("Deployment")}
    models = tuple(_seen(pool, model, found) for model in pool.spec.models)
    ready = all(model.phase == "Ready" for model in models)
    before = pool.status.conditions if pool.status else ()
    generation = pool.metadata.generation or 0
    told = (
        Finding(type=ConditionType.ACCEPTED, status="True", reason="Valid"),
        Finding(type=ConditionType.READY, status="True" if ready else "False", reason="Ready" if ready else "Starting"),
    )
    status = PoolStatus(
        observed_generation=generation,
        conditions=conditions(before, told, generation=generation, now=now),
        models=models,
    )
    return Plan(
        objects=tuple(_objects(pool, observed)),
        untouched=frozenset(),
        status=status,
        memory=Memory(),
        models={model.name: PooledModelStatus(phase=model.phase, replicas=model.replicas) for model in models},
    )


def _objects(pool: HeterogeneousModelPool, observed: Observed) -> Iterator[Manifest]:
    yield _of_pool(pool, kinds.SERVICE_ACCOUNT, "picker", automountServiceAccountToken=True)
    ports = [{"name": "ext-proc", "port": 9002}, {"name": "management", "port": 9090}]
    yield _of_pool(pool, kinds.SERVICE, "picker", spec={"selector": selector(pool, PICKER), "ports": ports})
    for model in pool.spec.models:
        yield _of_model(pool, model, kinds.CONFIG_MAP, data={"replicas": str(_replicas(model))})
        yield _of_model(pool, model, kinds.DEPLOYMENT, spec=_deployment(pool, model))
        yield _of_model(pool, model, kinds.POOLED_MODEL, spec=_pooled(pool, model))
    if observed.facts.has(kinds.INFERENCE_POOL):
        reference = {"name": pool_object_name(pool.metadata.name, "picker"), "port": {"number": 9002}}
        spec = {
            "selector": {"matchLabels": selector(pool, ENGINE)},
            "targetPorts": [{"number": 8000}],
            "endpointPickerRef": reference,
        }
        yield _of_pool(pool, kinds.INFERENCE_POOL, "engines", spec=spec)


def _of_pool(pool: HeterogeneousModelPool, kind: Kind, role: str, **body: object) -> Manifest:
    return new(pool, kind, pool_object_name(pool.metadata.name, role), component=PICKER, **body)


def _of_model(pool: HeterogeneousModelPool, model: ModelSpec, kind: Kind, **body: object) -> Manifest:
    name = model_object_name(pool.metadata.name, model.name)
    return new(pool, kind, name, component=ENGINE, more_labels={MODEL_LABEL: model.name}, **body)


def _pooled(pool: HeterogeneousModelPool, model: ModelSpec) -> Manifest:
    replicas = {} if model.scaling.external else {"replicas": _replicas(model)}
    return {"pool": pool.metadata.name, "model": model.name, **replicas}


def _deployment(pool: HeterogeneousModelPool, model: ModelSpec) -> Manifest:
    marks = {**labels(pool, ENGINE), MODEL_LABEL: model.name}
    resources = {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}}
    container = {
        "name": "engine",
        "image": "simulator",
        "args": ["--model", model.name],
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - inside a container that never runs
        "ports": [{"name": "http", "containerPort": 8000}],
        "resources": resources,
    }
    template = {"metadata": {"labels": marks}, "spec": {"containers": [container], "enableServiceLinks": False}}
    return {
        "replicas": _replicas(model),
        "selector": {"matchLabels": {**selector(pool, ENGINE), MODEL_LABEL: model.name}},
        "template": template,
    }


def _replicas(model: ModelSpec) -> int:
    return model.scaling.first_replicas


def _seen(pool: HeterogeneousModelPool, model: ModelSpec, found: dict[str, Manifest]) -> ModelStatus:
    deployment = found.get(model_object_name(pool.metadata.name, model.name), {})
    ready = int(part(deployment, "status").get("readyReplicas", 0))
    replicas = int(part(deployment, "status").get("replicas", 0))
    phase = "Ready" if deployment and ready >= _replicas(model) else "Starting"
    return ModelStatus(name=model.name, phase=phase, replicas=replicas, ready_replicas=ready)
