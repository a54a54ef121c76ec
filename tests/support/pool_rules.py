"""Every rule over several fields, with documents that keep and that break it: both readers are held against them."""

from dataclasses import dataclass
from typing import Any

from pool_documents import model_document, pool_document

from chimera_operator.api.scalars import PATTERN_RULES, POOL_NAME

Documents = dict[str, dict[str, Any]]

SIMULATED = {"engine": {"type": "Simulator"}}
HUB = {"huggingFace": {"repo": "org/small"}}
IMAGE = {"reference": "registry.example.com/weights:1"}
KEY = {"name": "secret", "key": "key"}
H100, SLICE = {"class": "nvidia-h100"}, {"class": "nvidia-h100", "mig": "1g.10gb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A rule and documents.

    Attributes:
        sentence: What the API server says of those that break it.
        kept: Documents that keep it, by what they show.
        broken: Documents that break it.
        line: What this package says of the first of those.
    """

    sentence: str
    kept: Documents
    broken: Documents
    line: str


def resource(*models: dict[str, Any], name: str = "pool", **spec: Any) -> dict[str, Any]:
    """Return a pool of these models, or of `small` and `large`, simulated unless they say otherwise."""
    document = pool_document(*models, **{**spec, "defaults": {**SIMULATED, **spec.get("defaults", {})}})
    return {**document, "metadata": {"name": name}}


def small(**fields: Any) -> dict[str, Any]:
    """Return a pool of one model with these fields."""
    return resource({"name": "small", **fields})


def routing(**fields: Any) -> dict[str, Any]:
    """Return a pool of `small` and `large` with this routing."""
    return resource(routing=fields)


def picker(**fields: Any) -> dict[str, Any]:
    """Return a pool with this picker."""
    return resource(picker=fields)


def _args(*args: str) -> dict[str, Any]:
    return small(engine={"args": list(args)})


def _env(**variable: Any) -> dict[str, Any]:
    return small(engine={"env": [{"name": "A", **variable}]})


def _cards(*accelerators: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return small(accelerators=list(accelerators), **fields)


def _cache(**volume: Any) -> dict[str, Any]:
    return small(cache={"weights": volume})


def _scaled(*, enabled: bool, **spec: Any) -> dict[str, Any]:
    return resource(**spec, routing={"flowControl": {"enabled": enabled}})


TO_ZERO = {"auto": {"maxReplicas": 2, "scaleToZero": {}}}
SIZED = [model_document(name, descriptor={"parametersB": 7}) for name in ("small", "large")]

NAMES = [
    Case(
        sentence=f"metadata.name {PATTERN_RULES[POOL_NAME]}",
        kept={"forty": resource(name="a" * 40)},
        broken={
            "a digit first": resource(name="3models"),
            "forty-one": resource(name="a" * 41),
            "a dot": resource(name="a.b"),
        },
        line=f"metadata.name: {PATTERN_RULES[POOL_NAME]}",
    ),
    Case(
        sentence="no model, alias, adapter or virtual model may be called auto or as the pool is",
        kept={"like it": small(aliases=["Pool", "pool-1", "automatic"])},
        broken={
            "model": resource({"name": "pool"}),
            "alias": small(aliases=["auto"]),
            "adapter": small(loras=[{"name": "pool", "source": HUB}]),
            "virtual model": routing(virtualModels=["auto"]),
        },
        line='spec.models[0].name: must be unique, "pool" is taken',
    ),
    Case(
        sentence="names and aliases of models must be unique over the pool",
        kept={"other names": resource({"name": "small", "aliases": ["a", "b"]}, {"name": "large", "aliases": ["c"]})},
        broken={
            "alias of two": resource({"name": "small", "aliases": ["x"]}, {"name": "large", "aliases": ["x"]}),
            "alias is a name": resource({"name": "small", "aliases": ["large"]}, {"name": "large"}),
            "name is an alias": resource({"name": "small"}, {"name": "large", "aliases": ["small"]}),
            "alias is its own name": small(aliases=["small"]),
        },
        line='spec.models[1].aliases[0]: must be unique, "x" is taken',
    ),
    Case(
        sentence="names of adapters must be unique over the pool, and none a model's name or alias",
        kept={"other names": small(aliases=["a"], loras=[{"name": "b", "source": HUB}])},
        broken={
            "adapter of two": resource(
                {"name": "small", "loras": [{"name": "x", "source": HUB}]},
                {"name": "large", "loras": [{"name": "x", "source": HUB}]},
            ),
            "adapter is an alias": resource(
                {"name": "small", "loras": [{"name": "x", "source": HUB}]}, {"name": "large", "aliases": ["x"]}
            ),
            "adapter is its model": small(loras=[{"name": "small", "source": HUB}]),
        },
        line='spec.models[1].loras[0].name: must be unique, "x" is taken',
    ),
    Case(
        sentence="must not hold the name of a model, an alias or an adapter",
        kept={"other names": routing(virtualModels=["gpt-4o", "gpt-4o-mini"])},
        broken={
            "a model": routing(virtualModels=["large"]),
            "an alias": resource({"name": "small", "aliases": ["x"]}, routing={"virtualModels": ["x"]}),
            "an adapter": resource(
                {"name": "small", "loras": [{"name": "x", "source": HUB}]}, routing={"virtualModels": ["x"]}
            ),
        },
        line='spec.routing.virtualModels[0]: must be unique, "large" is taken',
    ),
]

MODELS = [
    Case(
        sentence="source is required unless engine.type is Simulator",
        kept={
            "a source": small(engine={"type": "VLLM"}, source=HUB),
            "simulated": small(engine={"type": "Simulator"}),
            "simulated by default": small(engine={"maxNumSeqs": 1}),
        },
        broken={
            "neither": pool_document({"name": "small"}),
            "vLLM over the default": small(engine={"type": "VLLM"}),
        },
        line="spec.models[0].source: is required unless engine.type is Simulator",
    ),
    Case(
        sentence="must give exactly one of huggingFace, pvc, s3, image",
        kept={"one": small(source={"pvc": {"claimName": "weights"}})},
        broken={"none": small(source={}), "two": small(source={**HUB, "image": IMAGE})},
        line="spec.models[0].source: must give exactly one of huggingFace, pvc, s3, image",
    ),
    Case(
        sentence="must give exactly one of huggingFace, pvc, image",
        kept={"one": small(loras=[{"name": "x", "source": {"image": IMAGE}}])},
        broken={
            "none": small(loras=[{"name": "x", "source": {}}]),
            "two": small(loras=[{"name": "x", "source": {**HUB, "image": IMAGE}}]),
        },
        line="spec.models[0].loras[0].source: must give exactly one of huggingFace, pvc, image",
    ),
    Case(
        sentence="must not hold a flag that belongs to the operator",
        kept={"others": _args("--max-model-len", "4096", "--config-format=auto", "-O3", "--", "--max_model_len=1")},
        broken={
            "flag": _args("--enforce-eager", "--port", "80"),
            "with a value": _args("--host=0.0.0.0"),
            "with underlines": _args("--max_num_seqs", "4"),
            "cut short": _args("--tensor-par", "2"),
            "short": _args("-tp=2"),
            "in the defaults": resource(defaults={"engine": {**SIMULATED["engine"], "args": ["--uds=/tmp/s"]}}),
        },
        line="spec.models[0].engine.args[1]: --port belongs to the operator; the operator binds the engine",
    ),
    Case(
        sentence="must give exactly one of value, valueFrom",
        kept={"value": _env(value=""), "source": _env(valueFrom={"secretKeyRef": KEY})},
        broken={"none": _env(), "both": _env(value="1", valueFrom={"secretKeyRef": KEY})},
        line="spec.models[0].engine.env[0]: must give exactly one of value, valueFrom",
    ),
    Case(
        sentence="must give exactly one of secretKeyRef, configMapKeyRef",
        kept={"one": _env(valueFrom={"configMapKeyRef": KEY})},
        broken={
            "none": _env(valueFrom={}),
            "both": _env(valueFrom={"secretKeyRef": KEY, "configMapKeyRef": KEY}),
        },
        line="spec.models[0].engine.env[0].valueFrom: must give exactly one of secretKeyRef, configMapKeyRef",
    ),
    Case(
        sentence="accelerators[].count must be the product of parallelism's tensor, pipeline and data",
        kept={
            "the product": _cards({**H100, "count": 8}, parallelism={"tensor": 2, "pipeline": 2, "data": 2}),
            "left out": _cards(H100, parallelism={"tensor": 4}),
            "own over the default": resource(
                {"name": "small", "parallelism": {"tensor": 1}, "accelerators": [{**H100, "count": 1}]},
                defaults={"parallelism": {"tensor": 2}},
            ),
        },
        broken={
            "another": _cards({**H100, "count": 4}, parallelism={"tensor": 2}),
            "by default": _cards({**H100, "count": 2}),
            "cards of the defaults": resource(
                {"name": "small", "parallelism": {"tensor": 2}}, defaults={"accelerators": [{**H100, "count": 1}]}
            ),
            "ways of the defaults": resource(
                {"name": "small", "accelerators": [{**H100, "count": 1}]}, defaults={"parallelism": {"data": 2}}
            ),
        },
        line="spec.models[0].accelerators[0].count: must be 2, the product of parallelism's tensor, pipeline and data",
    ),
    Case(
        sentence="must have names of their own, or classes where they have none",
        kept={"named": _cards(SLICE, {**H100, "name": "whole"}), "other classes": _cards(H100, {"class": "nvidia-l4"})},
        broken={
            "same class": _cards(SLICE, H100),
            "name is a class": _cards(H100, {"class": "nvidia-l4", "name": "nvidia-h100"}),
        },
        line="spec.models[0].accelerators: must have names of their own, or classes where they have none",
    ),
    Case(
        sentence="resource, mig and resourceClaimTemplate exclude one another",
        kept={
            "resource": _cards({**H100, "resource": "example.com/gpu"}),
            "slice": _cards(SLICE),
            "claim": _cards({**H100, "resourceClaimTemplate": {"name": "gpu"}}),
        },
        broken={
            "slice and resource": _cards({**SLICE, "resource": "example.com/gpu"}),
            "slice and claim": _cards({**SLICE, "resourceClaimTemplate": {"name": "gpu"}}),
        },
        line="spec.models[0].accelerators[0]: resource, mig and resourceClaimTemplate exclude one another",
    ),
    Case(
        sentence="must give exactly one of emptyDir, pvc, claimTemplate",
        kept={"one": _cache(claimTemplate={"size": "10Gi"})},
        broken={"none": _cache(), "two": _cache(emptyDir={}, pvc={"claimName": "cache"})},
        line="spec.models[0].cache.weights: must give exactly one of emptyDir, pvc, claimTemplate",
    ),
    Case(
        sentence="labels of chimera.dev belong to the operator",
        kept={"others": small(pod={"labels": {"team": "a", "chimera.example.com/pool": "b"}})},
        broken={"one": small(pod={"labels": {"chimera.dev/pool": "other"}})},
        line="spec.models[0].pod.labels: labels of chimera.dev belong to the operator",
    ),
]

REPLICAS = [
    Case(
        sentence="replicas, auto and external exclude one another",
        kept={
            "none": small(scaling={}),
            "auto over the default": resource(
                {"name": "small", "scaling": {"auto": {"maxReplicas": 2}}}, defaults={"scaling": {"replicas": 3}}
            ),
        },
        broken={
            "replicas and auto": small(scaling={"replicas": 1, "auto": {"maxReplicas": 2}}),
            "replicas and external": small(scaling={"replicas": 1, "external": {}}),
            "in the defaults": resource(defaults={"scaling": {"auto": {"maxReplicas": 2}, "external": {}}}),
        },
        line="spec.models[0].scaling: replicas, auto and external exclude one another",
    ),
    Case(
        sentence="must be at least minReplicas",
        kept={"equal": small(scaling={"auto": {"minReplicas": 2, "maxReplicas": 2}})},
        broken={"less": small(scaling={"auto": {"minReplicas": 3, "maxReplicas": 2}})},
        line="spec.models[0].scaling.auto.maxReplicas: must be at least minReplicas",
    ),
    Case(
        sentence="scaling.auto.scaleToZero needs routing.flowControl.enabled, "
        "where requests wait for the first replica",
        kept={
            "held": _scaled(enabled=True, defaults={"scaling": TO_ZERO}),
            "own over the default": resource({"name": "small", "scaling": {}}, defaults={"scaling": TO_ZERO}),
        },
        broken={
            "own": small(scaling=TO_ZERO),
            "of the defaults": _scaled(enabled=False, defaults={"scaling": TO_ZERO}),
        },
        line="spec.models[0].scaling.auto.scaleToZero: needs routing.flowControl.enabled, "
        "where requests wait for the first replica",
    ),
    Case(
        sentence="rollout must let replicas go on: maxSurge above 0 with mode Surge, maxUnavailable with InPlace, "
        "one with Auto",
        kept={
            "one is enough": small(rollout={"maxSurge": 0}),
            "surge": small(rollout={"mode": "Surge", "maxUnavailable": 0}),
            "all at once": small(rollout={"mode": "Recreate", "maxSurge": 0, "maxUnavailable": 0}),
            "own over the default": resource(
                {"name": "small", "rollout": {"maxSurge": 1}}, defaults={"rollout": {"maxSurge": 0, "mode": "Surge"}}
            ),
        },
        broken={
            "both zero": small(rollout={"maxSurge": 0, "maxUnavailable": 0}),
            "surge by nothing": small(rollout={"mode": "Surge", "maxSurge": 0}),
            "in place of nothing": small(rollout={"mode": "InPlace", "maxUnavailable": 0}),
            "with the defaults": resource(
                {"name": "small", "rollout": {"maxSurge": 0}}, defaults={"rollout": {"maxUnavailable": 0}}
            ),
        },
        line="spec.models[0].rollout: rollout must let replicas go on: maxSurge above 0 with mode Surge, "
        "maxUnavailable with InPlace, one with Auto",
    ),
]

ROUTING = [
    Case(
        sentence="the models that the policy names must be of the pool",
        kept={
            "static": routing(policy="Static", staticModel="large"),
            "random": routing(policy="Random", weights={"small": 1, "large": 0}),
            "threshold": routing(policy="Threshold", gainNeeded=0, smallModel="small"),
            "not in force": routing(policy="Slack", staticModel="huge", weights={"huge": 1}),
        },
        broken={
            "static": routing(policy="Static", staticModel="huge"),
            "nobody": routing(policy="Static"),
            "random": routing(policy="Random", weights={"small": 1, "huge": 1}),
            "weak": routing(policy="Threshold", gainNeeded=0, smallModel="huge"),
            "strong": routing(policy="Threshold", gainNeeded=0, largeModel="huge"),
        },
        line="spec.routing.staticModel: must name a model of the pool: small, large",
    ),
    Case(
        sentence="descriptor.parametersB is required with policies that count cost",
        kept={
            "known": resource(*SIZED, routing={"policy": "ConfidenceObjective", "targetConfidence": 0.7}),
            "free": routing(policy="Utility", costPrice=0),
        },
        broken={
            "target": routing(policy="ConfidenceObjective", targetConfidence=0.7),
            "price": resource(
                SIZED[0], model_document("large", descriptor={}), routing={"policy": "Utility", "costPrice": 1}
            ),
        },
        line="spec.models[0].descriptor.parametersB: is required with policy ConfidenceObjective, "
        "which counts cost by parameters",
    ),
    Case(
        sentence="is required with policy LatencyObjective",
        kept={"given": routing(policy="LatencyObjective", targetLatencySeconds=3)},
        broken={"missing": routing(policy="LatencyObjective")},
        line="spec.routing.targetLatencySeconds: is required with policy LatencyObjective",
    ),
    Case(
        sentence="is required with policy ConfidenceObjective",
        kept={"given": resource(*SIZED, routing={"policy": "ConfidenceObjective", "targetConfidence": 0.7})},
        broken={"missing": resource(*SIZED, routing={"policy": "ConfidenceObjective"})},
        line="spec.routing.targetConfidence: is required with policy ConfidenceObjective",
    ),
    Case(
        sentence="is required with policy Threshold",
        kept={"zero": routing(policy="Threshold", gainNeeded=0)},
        broken={"missing": routing(policy="Threshold")},
        line="spec.routing.gainNeeded: is required with policy Threshold",
    ),
    Case(
        sentence="must hold a weight above zero with policy Random",
        kept={"one": routing(policy="Random", weights={"small": 0, "large": 0.1})},
        broken={
            "missing": routing(policy="Random"),
            "empty": routing(policy="Random", weights={}),
            "zero": routing(policy="Random", weights={"small": 0}),
        },
        line="spec.routing.weights: must hold a weight above zero with policy Random",
    ),
    Case(
        sentence="must not be set beside holdLatencySeconds: one price holds one mean",
        kept={"one": routing(holdScore=0.7)},
        broken={"both": routing(holdScore=0.7, holdLatencySeconds=4)},
        line="spec.routing.holdScore: must not be set beside holdLatencySeconds: one price holds one mean",
    ),
    Case(
        sentence="pvc, image and archive exclude one another",
        kept={
            "path": routing(bundle={"path": "/bundles/a"}),
            "archive": routing(bundle={"archive": {"url": "https://example.com/b.tar.gz", "sha256": "0" * 64}}),
        },
        broken={"two": routing(bundle={"pvc": {"claimName": "bundle"}, "image": IMAGE})},
        line="spec.routing.bundle: pvc, image and archive exclude one another",
    ),
]

FRONT = [
    Case(
        sentence="must be set with mode Certificate and with no other",
        kept={"certificate": picker(tls={"mode": "Certificate", "secretRef": {"name": "tls"}})},
        broken={
            "missing": picker(tls={"mode": "Certificate"}),
            "unused": picker(tls={"secretRef": {"name": "tls"}}),
        },
        line="spec.picker.tls.secretRef: must be set with mode Certificate and with no other",
    ),
    Case(
        sentence="must not be set with mode Plaintext",
        kept={"self-signed": picker(tls={"clientCaSecretRef": KEY})},
        broken={"plain text": picker(tls={"mode": "Plaintext", "clientCaSecretRef": KEY})},
        line="spec.picker.tls.clientCaSecretRef: must not be set with mode Plaintext",
    ),
    Case(
        sentence="must be off with tls.mode Plaintext",
        kept={"both": picker(management={"tls": True}), "neither": picker(tls={"mode": "Plaintext"})},
        broken={"half": picker(tls={"mode": "Plaintext"}, management={"tls": True})},
        line="spec.picker.management.tls: must be off with tls.mode Plaintext",
    ),
    Case(
        sentence="must be set with auth Token and with no other",
        kept={"tokens": picker(management={"auth": "Token", "tokenSecretRef": KEY})},
        broken={
            "missing": picker(management={"auth": "Token"}),
            "unused": picker(management={"tokenSecretRef": KEY}),
        },
        line="spec.picker.management.tokenSecretRef: must be set with auth Token and with no other",
    ),
    Case(
        sentence="is required unless integration is None",
        kept={
            "parents": resource(gateway={"parentRefs": [{"name": "inference"}]}),
            "none": resource(gateway={"integration": "None"}),
        },
        broken={
            "auto": resource(gateway={}),
            "envoy gateway": resource(gateway={"integration": "EnvoyGateway", "hostnames": ["llm.example.com"]}),
        },
        line="spec.gateway.parentRefs: is required unless integration is None",
    ),
]

CASES = [*NAMES, *MODELS, *REPLICAS, *ROUTING, *FRONT]
KEPT = {f"{case.sentence}: {shown}": doc for case in CASES for shown, doc in case.kept.items()}
BROKEN = {f"{case.sentence}: {shown}": (case, doc) for case in CASES for shown, doc in case.broken.items()}
