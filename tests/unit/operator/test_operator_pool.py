"""The rules of a pool document, each told in one line."""

import re
from typing import Any

import pytest
from pool_documents import model_document, pool_document
from pydantic import ValidationError

from chimera_operator.api.errors import PoolError
from chimera_operator.api.network import Gateway, ParentRef
from chimera_operator.api.parse import parse_pool, parse_pooled_model, parse_resource
from chimera_operator.api.pool import HeterogeneousModelPool


def small_with(**fields: Any) -> dict[str, Any]:
    return pool_document(model_document("small", **fields))


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


ALL_POLICIES = (
    "'Slack', 'Marginal', 'Utility', 'LatencyObjective', 'ConfidenceObjective', 'RoundRobin', 'LeastLoaded', "
    "'Fastest', 'Static', 'Random' or 'Threshold'"
)
BROKEN = {
    "no document": (None, "document: must be an object"),
    "a list": ([], "document: must be an object"),
    "wrong kind": (pool_document() | {"kind": "Pod"}, "kind: must be 'HeterogeneousModelPool'"),
    "wrong version": (pool_document() | {"apiVersion": "v1"}, "apiVersion: must be 'chimera.dev/v1alpha1'"),
    "no spec": (without(pool_document(), "spec"), "spec: is required"),
    "no name": (pool_document() | {"metadata": {}}, "metadata.name: is required"),
    "no models": (pool_document() | {"spec": {}}, "spec.models: is required"),
    "empty models": (pool_document() | {"spec": {"models": []}}, "spec.models: must hold at least 1"),
    "too many models": (
        pool_document(*(model_document(f"m{n}") for n in range(33))),
        "spec.models: must hold at most 32",
    ),
    "models by name": (pool_document() | {"spec": {"models": {}}}, "spec.models: must be a valid array"),
    "model is text": (pool_document("small"), "spec.models[0]: must be an object"),  # type: ignore[arg-type]
    "mistyped key": (
        pool_document() | {"spec": {"modelss": []}},
        "spec.modelss: unknown key, did you mean models?",
    ),
    "mistyped key in a model": (
        small_with(engin={}),
        "spec.models[0].engin: unknown key, did you mean engine?",
    ),
    "mistyped key in an object of a model": (
        small_with(engine={"maxNumSeq": 3}),
        "spec.models[0].engine.maxNumSeq: unknown key, did you mean maxNumSeqs?",
    ),
    "mistyped key in a list of a model": (
        small_with(accelerators=[{"klass": "nvidia-h100"}]),
        "spec.models[0].accelerators[0].klass: unknown key, did you mean class?",
    ),
    "python's spelling of a key": (
        pool_document(routing={"min_gain": 0.1}),
        "spec.routing.min_gain: unknown key, did you mean minGain?",
    ),
    "key that would break the line": (
        pool_document(routing={"a\nb": 1}),
        'spec.routing["a\\nb"]: unknown key',
    ),
    "key like no other": (pool_document(zzz=1), "spec.zzz: unknown key"),
    "same name twice": (
        pool_document(model_document("small"), model_document("small")),
        'spec.models[1].name: must be unique, "small" is taken',
    ),
    "alias is another's name": (
        pool_document(model_document("small"), model_document("large", aliases=["x", "small"])),
        'spec.models[1].aliases[1]: must be unique, "small" is taken',
    ),
    "alias is the pool's name": (
        small_with(aliases=["pool"]),
        'spec.models[0].aliases[0]: must be unique, "pool" is taken',
    ),
    "name asks for the full choice": (
        pool_document(model_document("auto")),
        'spec.models[0].name: must be unique, "auto" is taken',
    ),
    "virtual name is a model's": (
        pool_document(routing={"virtualModels": ["gpt-4o", "large"]}),
        'spec.routing.virtualModels[1]: must be unique, "large" is taken',
    ),
    "name is no label": (
        pool_document(model_document("Llama 3")),
        "spec.models[0].name: must be a DNS label: lower-case letters, digits and -, at most 63",
    ),
    "alias with a blank": (
        small_with(aliases=["a b"]),
        "spec.models[0].aliases[0]: must be a model name: letters, digits and . _ : / -, at most 253",
    ),
    "no source": (
        small_with(source={}),
        "spec.models[0].source: must give exactly one of huggingFace, pvc, s3, image",
    ),
    "two sources": (
        small_with(source={"huggingFace": {"repo": "org/x"}, "s3": {"uri": "s3://bucket/x"}}),
        "spec.models[0].source: must give exactly one of huggingFace, pvc, s3, image",
    ),
    "address of another scheme": (
        small_with(source={"s3": {"uri": "http://bucket/x"}}),
        "spec.models[0].source.s3.uri: must be s3://BUCKET/KEY",
    ),
    "path for a volume": (
        small_with(cache={"weights": {"path": "/cache"}}),
        "spec.models[0].cache.weights.path: unknown key",
    ),
    "amount without a unit that there is": (
        small_with(resources={"requests": {"memory": "16GB"}}),
        "spec.models[0].resources.requests.memory: must be a quantity, such as 500m, 2 or 16Gi",
    ),
    "less than nothing": (
        small_with(resources={"limits": {"cpu": -1}}),
        "spec.models[0].resources.limits.cpu: must be a quantity, such as 500m, 2 or 16Gi",
    ),
    "slice of no card": (
        small_with(accelerators=[{"class": "nvidia-h100", "mig": "half"}]),
        "spec.models[0].accelerators[0].mig: must be a MIG profile, such as 1g.10gb",
    ),
    "variable twice": (
        small_with(engine={"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
        'spec.models[0].engine.env[1].name: must be unique, "A" is taken',
    ),
    "alias twice": (
        small_with(aliases=["x", "x"]),
        'spec.models[0].aliases[1]: must be unique, "x" is taken',
    ),
    "archive that anybody could have changed": (
        pool_document(routing={"bundle": {"archive": {"url": "https://example.com/bundle.tar.gz"}}}),
        "spec.routing.bundle.archive.sha256: is required",
    ),
    "password for all to read": (
        pool_document(
            picker={"sharedWorkflows": {"url": "redis://u:p@valkey", "secretRef": {"name": "a", "key": "b"}}}
        ),
        "spec.picker.sharedWorkflows.url: must be redis://HOST:PORT/DATABASE, or rediss:// for TLS, without a password",
    ),
    "host in capitals": (
        pool_document(gateway={"parentRefs": [{"name": "a"}], "hostnames": ["LLM.example.com"]}),
        "spec.gateway.hostnames[0]: must be a host name in small letters, its first label maybe *",
    ),
    "text for a number": (
        small_with(engine={"maxNumSeqs": "4"}),
        "spec.models[0].engine.maxNumSeqs: must be a valid integer",
    ),
    "true for a number": (
        small_with(engine={"maxNumSeqs": True}),
        "spec.models[0].engine.maxNumSeqs: must be a valid integer",
    ),
    "no replica": (
        small_with(scaling={"replicas": 0}),
        "spec.models[0].scaling.replicas: must be greater than or equal to 1",
    ),
    "no number": (
        pool_document(routing={"agingRate": float("nan")}),
        "spec.routing.agingRate: must be a finite number",
    ),
    "no place in the queue": (
        pool_document(routing={"flowControl": {"maxRequests": 0}}),
        "spec.routing.flowControl.maxRequests: must be greater than or equal to 1",
    ),
    "longer than gateways wait": (
        pool_document(routing={"flowControl": {"ttl": 301.0}}),
        "spec.routing.flowControl.ttl: must be less than or equal to 300",
    ),
    "class that is no number": (
        pool_document(routing={"flowControl": {"objectives": {"urgent": "high"}}}),
        "spec.routing.flowControl.objectives.urgent: must be a valid integer",
    ),
    "mistyped cap": (
        pool_document(routing={"flowControl": {"maxRequest": 1}}),
        "spec.routing.flowControl.maxRequest: unknown key, did you mean maxRequests?",
    ),
    "cards that do not match": (
        small_with(parallelism={"tensor": 2}, accelerators=[{"class": "nvidia-h100", "count": 4}]),
        "spec.models[0].accelerators[0].count: must be 2, the product of parallelism's tensor, pipeline and data",
    ),
    "flag of the operator": (
        small_with(engine={"args": ["--max-model-len=4096", "--port", "80"]}),
        "spec.models[0].engine.args[1]: --port belongs to the operator; the operator binds the engine",
    ),
    "unknown policy": (
        pool_document(routing={"policy": "slack"}),
        "spec.routing.policy: must be " + ALL_POLICIES,
    ),
    "unknown order": (
        pool_document(routing={"order": "Fifo"}),
        "spec.routing.order: must be 'RemainingFirst', 'StageFirst', 'Attained' or 'Arrival'",
    ),
    "negative price": (
        pool_document(routing={"policy": "Marginal", "price": -1}),
        "spec.routing.price: must be greater than or equal to 0",
    ),
    "two means held": (
        pool_document(routing={"policy": "Marginal", "holdLatencySeconds": 4, "holdScore": 0.7}),
        "spec.routing.holdScore: must not be set beside holdLatencySeconds: one price holds one mean",
    ),
    "score held at all costs": (
        pool_document(routing={"policy": "Marginal", "holdScore": 1}),
        "spec.routing.holdScore: must be less than 1",
    ),
    "no target in seconds": (
        pool_document(routing={"policy": "LatencyObjective"}),
        "spec.routing.targetLatencySeconds: is required with policy LatencyObjective",
    ),
    "target of nothing": (
        pool_document(routing={"policy": "LatencyObjective", "targetLatencySeconds": 0}),
        "spec.routing.targetLatencySeconds: must be greater than 0",
    ),
    "no target of confidence": (
        pool_document(routing={"policy": "ConfidenceObjective"}),
        "spec.routing.targetConfidence: is required with policy ConfidenceObjective",
    ),
    "no weights": (
        pool_document(routing={"policy": "Random"}),
        "spec.routing.weights: must hold a weight above zero with policy Random",
    ),
    "weight of a stranger": (
        pool_document(routing={"policy": "Random", "weights": {"nobody": 1}}),
        "spec.routing.weights: must name a model of the pool: small, large",
    ),
    "no gain": (
        pool_document(routing={"policy": "Threshold"}),
        "spec.routing.gainNeeded: is required with policy Threshold",
    ),
    "strong stranger": (
        pool_document(routing={"policy": "Threshold", "gainNeeded": 0, "largeModel": "nobody"}),
        "spec.routing.largeModel: must name a model of the pool: small, large",
    ),
    "cost without sizes": (
        pool_document(routing={"policy": "Utility", "costPrice": 0.1}),
        "spec.models[0].descriptor.parametersB: is required with policy Utility, which counts cost by parameters",
    ),
    "static without a model": (
        pool_document(routing={"policy": "Static"}),
        "spec.routing.staticModel: must name a model of the pool: small, large",
    ),
    "static to a stranger": (
        pool_document(routing={"policy": "Static", "staticModel": "huge"}),
        "spec.routing.staticModel: must name a model of the pool: small, large",
    ),
    "digest too short": (
        pool_document(routing={"bundle": {"sha256": "abc"}}),
        "spec.routing.bundle.sha256: must be a sha256 in lower-case hex",
    ),
    "gateway without parents": (
        pool_document(gateway={"parentRefs": []}),
        "spec.gateway.parentRefs: must hold at least 1",
    ),
    "empty repository": (
        small_with(source={"huggingFace": {"repo": ""}}),
        "spec.models[0].source.huggingFace.repo: must have at least 1 character",
    ),
    "mistyped default": (
        pool_document(defaults={"engin": {}}),
        "spec.defaults.engin: unknown key, did you mean engine?",
    ),
    "bad default": (
        pool_document(defaults={"engine": {"maxNumSeqs": 0}}),
        "spec.defaults.engine.maxNumSeqs: must be greater than or equal to 1",
    ),
}


@pytest.mark.parametrize(("document", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_in_one_line(document: Any, line: str) -> None:
    """The error names the path in the document and the rule, and nothing else."""
    with pytest.raises(PoolError, match=f"^{re.escape(line)}$"):
        parse_pool(document)


def test_defaults_fill_what_a_model_leaves_out() -> None:
    """A default applies field by field inside an object, and the model's own field wins."""
    defaults = {"engine": {"maxNumSeqs": 8, "priorityScheduling": True}, "scaling": {"replicas": 3}}
    models = model_document("small"), model_document("large", engine={"maxNumSeqs": 4, "kvTokens": 10})

    small, large = parse_pool(pool_document(*models, defaults=defaults)).spec.models

    assert (small.engine.max_num_seqs, small.engine.kv_tokens, small.scaling.replicas) == (8, 100_000, 3)
    assert (large.engine.max_num_seqs, large.engine.kv_tokens, large.engine.priority_scheduling) == (4, 10, True)


def test_a_models_list_replaces_the_default_list() -> None:
    """Lists are not mixed: accelerators are an order of preference."""
    defaults = {"accelerators": [{"class": "nvidia-h100"}, {"class": "nvidia-h200"}]}
    own = model_document("large", accelerators=[{"class": "nvidia-a40"}])

    small, large = parse_pool(pool_document(model_document("small"), own, defaults=defaults)).spec.models

    assert [card.class_ for card in small.accelerators] == ["nvidia-h100", "nvidia-h200"]
    assert [card.class_ for card in large.accelerators] == ["nvidia-a40"]


def test_one_way_to_scale_replaces_another() -> None:
    """The ways exclude one another, so a model's own does not join the default's."""
    defaults = {"scaling": {"auto": {"maxReplicas": 4}}}
    own = model_document("large", scaling={"replicas": 2})

    small, large = parse_pool(pool_document(model_document("small"), own, defaults=defaults)).spec.models

    assert (small.scaling.auto and small.scaling.auto.max_replicas, small.scaling.replicas) == (4, None)
    assert (large.scaling.auto, large.scaling.replicas) == (None, 2)


@pytest.mark.parametrize(
    ("scaling", "first"),
    [({}, 1), ({"replicas": 3}, 3), ({"auto": {"minReplicas": 2, "maxReplicas": 4}}, 2), ({"external": {}}, 1)],
)
def test_every_way_to_scale_says_how_it_begins(scaling: dict[str, Any], first: int) -> None:
    """A cluster begins with as many, and one machine runs as many."""
    (model,) = parse_pool(small_with(scaling=scaling)).spec.models

    assert model.scaling.first_replicas == first


def test_engine_is_said_for_each_run_on_one_machine_only() -> None:
    """A file needs no source, as `chimera up --engine` says what serves; in a cluster nothing is simulated unasked."""
    document = pool_document(model_document("small"))

    assert parse_pool(document).spec.models[0].source is None
    with pytest.raises(PoolError, match=r"^spec.models\[0\].source: is required unless engine.type is Simulator$"):
        parse_resource(document)


def test_a_model_of_a_pool_is_a_resource_of_its_own() -> None:
    """Its rules are told as a pool's are."""
    child = {"apiVersion": "chimera.dev/v1alpha1", "kind": "PooledModel", "metadata": {"name": "pool-small-1"}}

    assert parse_pooled_model({**child, "spec": {"pool": "pool", "model": "small"}}).spec.replicas == 1
    with pytest.raises(PoolError, match=r"^spec.replica: unknown key, did you mean replicas\?$"):
        parse_pooled_model({**child, "spec": {"pool": "pool", "model": "small", "replica": 2}})


def test_a_pool_is_never_changed() -> None:
    """Who holds a pool may rely on it: every part refuses to be altered."""
    pool = parse_pool(pool_document())

    for part, field in ((pool, "kind"), (pool.spec, "routing"), (pool.spec.models[0].engine, "args")):
        with pytest.raises(ValidationError):
            setattr(part, field, None)


def test_what_is_left_out_has_its_documented_default() -> None:
    """A model of a name alone, and a pool without routing, picker or gateway."""
    pool = parse_pool(pool_document({"name": "bare"}))
    (bare,) = pool.spec.models

    assert (bare.engine.max_num_seqs, bare.engine.priority_scheduling, bare.scaling.first_replicas) == (256, False, 1)
    assert (bare.source, bare.coefficients, bare.accelerators, bare.aliases) == (None, None, (), ())
    assert (pool.spec.routing.policy, pool.spec.routing.price) == ("Marginal", None)
    assert (pool.spec.picker.replicas, pool.spec.picker.failure_mode, pool.spec.gateway) == (2, "FailClose", None)


SOURCES = {
    "hub": {"huggingFace": {"repo": "org/x", "revision": "main", "tokenSecretRef": {"name": "hf"}}},
    "volume": {"pvc": {"claimName": "weights", "path": "llama"}},
    "bucket": {"s3": {"uri": "s3://models/llama"}},
    "image": {"image": {"reference": "registry/weights@sha256:0", "path": "/weights"}},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_each_source_is_typed(source: dict[str, Any]) -> None:
    """Every kind of source is read, and written out again as it came."""
    (model,) = parse_pool(small_with(source=source)).spec.models

    assert model.source
    assert model.source.model_dump(by_alias=True, exclude_unset=True) == source


def test_the_gateway_is_typed() -> None:
    """Parents and host names of the route arrive."""
    gateway = {"parentRefs": [{"name": "inference", "namespace": "gateways"}], "hostnames": ["llm.example.com"]}

    assert parse_pool(pool_document(gateway=gateway)).spec.gateway == Gateway(
        parentRefs=(ParentRef(name="inference", namespace="gateways"),), hostnames=("llm.example.com",)
    )


def test_what_kubernetes_keeps_in_metadata_is_let_be() -> None:
    """Only `metadata.name` is this resource's; an object from an API server carries more."""
    document = pool_document() | {"metadata": {"name": "pool", "uid": "1", "labels": {"a": "b"}, "generation": 2}}

    assert parse_pool(document).metadata.name == "pool"


def test_every_field_explains_itself() -> None:
    """Every field of the schema has a description: it is what `kubectl explain` prints."""
    schema = HeterogeneousModelPool.model_json_schema()
    parts = [schema, *schema["$defs"].values()]

    silent = [name for part in parts for name, field in part["properties"].items() if "description" not in field]

    assert silent == []
