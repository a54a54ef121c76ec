"""The desired pool, and the rules that hold between its parts."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Any, ClassVar

from pydantic import Field

from chimera_operator.api.document import Breach, Document, Rule, rule
from chimera_operator.api.lists import ListMap
from chimera_operator.api.model import ModelDefaults, ModelSpec
from chimera_operator.api.network import Gateway, Monitoring, NetworkPolicy
from chimera_operator.api.picker import Picker
from chimera_operator.api.routing import Routing
from chimera_operator.api.scalars import MAX_MODELS

NEEDS_SOURCE = "is required unless engine.type is Simulator"


def _merged(path: str, default: Any) -> str:
    """Return what a model `m` has at a path below it: its own value, else that of `spec.defaults`, else the default.

    The API server sees documents before anybody merges `spec.defaults`, so its rules have to look in both places.

    Args:
        path: Such as `rollout.maxSurge`.
        default: What holds where neither is given.
    """
    optional = path.replace(".", ".?")
    return f"m.?{optional}.orValue(self.defaults.?{optional}.orValue({json.dumps(default)}))"


_CARDS = " * ".join(_merged(f"parallelism.{way}", 1) for way in ("tensor", "pipeline", "data"))
_CARDS_FIT = f".accelerators.all(card, !has(card.count) || card.count == {_CARDS})"
_COUNTS_COST = (
    "self.routing.policy == 'ConfidenceObjective' || "
    "self.routing.policy == 'Utility' && self.routing.?costPrice.orValue(0.0) > 0.0"
)


def _member(field: str) -> str:
    """Return in CEL that a field of routing names a model of the pool."""
    return f"self.models.exists(m, m.name == self.routing.{field})"


def _taken(names: Iterable[tuple[str, str]]) -> Iterator[Breach]:
    """Yield a breach for every name that stands earlier already."""
    taken = set()
    for path, name in names:
        if name in taken:
            yield Breach(path, f'must be unique, "{name}" is taken')
        taken.add(name)


class PoolSpec(Document):
    """What the pool should be."""

    defaults: ModelDefaults = ModelDefaults()
    """Settings merged under every model. A model's own fields win, one by one inside the objects; `scaling`, whose
    fields exclude one another, is taken whole, as are lists and what lies deeper."""
    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1, max_length=MAX_MODELS), ListMap()]
    """The models, names and aliases unique over the pool."""
    routing: Routing = Routing()
    """How the model of a request is chosen."""
    picker: Picker = Picker()
    """The pods of the endpoint picker."""
    gateway: Gateway | None = None
    """The gateway in front of the pool. Unset: none."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may reach the pool's pods."""
    monitoring: Monitoring = Monitoring()
    """How the pool's pods are watched."""

    server_rules: ClassVar = (
        # Not of files: on one machine `chimera up --engine` says what serves a model.
        Rule(
            sentence=f"source {NEEDS_SOURCE}",
            cel=f"self.models.all(m, has(m.source) || {_merged('engine.type', 'VLLM')} == 'Simulator')",
            at="models",
        ),
    )

    @rule(
        "accelerators[].count must be the product of parallelism's tensor, pipeline and data",
        cel=f"self.models.all(m, has(m.accelerators) ? m{_CARDS_FIT} : "
        f"!has(self.defaults.accelerators) || self.defaults{_CARDS_FIT})",
        at="models",
    )
    def _cards_fit(self) -> Iterator[Breach]:
        for index, model in enumerate(self.models):
            cards = model.parallelism.cards
            for place, accelerator in enumerate(model.accelerators):
                if accelerator.count not in {None, cards}:
                    sentence = f"must be {cards}, the product of parallelism's tensor, pipeline and data"
                    yield Breach(f"models[{index}].accelerators[{place}].count", sentence)

    @rule(
        "rollout must let replicas go on: maxSurge above 0 with mode Surge, maxUnavailable with InPlace, one with Auto",
        cel=f"self.models.all(m, {_merged('rollout.mode', 'Auto')} == 'Recreate' || "
        f"{_merged('rollout.mode', 'Auto')} != 'InPlace' && {_merged('rollout.maxSurge', 1)} > 0 || "
        f"{_merged('rollout.mode', 'Auto')} != 'Surge' && {_merged('rollout.maxUnavailable', 1)} > 0)",
        at="models",
    )
    def _rollouts_move(self) -> Iterator[Breach]:
        for index, model in enumerate(self.models):
            if not model.rollout.moves:
                yield Breach(f"models[{index}].rollout")

    @rule(
        "scaling.auto.scaleToZero needs routing.flowControl.enabled, where requests wait for the first replica",
        cel="self.routing.flowControl.enabled || !self.models.exists(m, "
        "has(m.scaling) ? has(m.scaling.auto) && has(m.scaling.auto.scaleToZero) : "
        "self.defaults.?scaling.?auto.?scaleToZero.hasValue())",
        at="models",
    )
    def _requests_can_wait(self) -> Iterator[Breach]:
        for index, model in enumerate(self.models):
            if model.scaling.auto and model.scaling.auto.scale_to_zero and not self.routing.flow_control.enabled:
                sentence = "needs routing.flowControl.enabled, where requests wait for the first replica"
                yield Breach(f"models[{index}].scaling.auto.scaleToZero", sentence)

    @rule(
        "names and aliases of models must be unique over the pool",
        cel="self.models.all(m, !has(m.aliases) || !(m.name in m.aliases) && self.models.all(other, "
        "other.name == m.name || !(other.name in m.aliases) && "
        "!(has(other.aliases) && m.aliases.exists(name, name in other.aliases))))",
        at="models",
    )
    def _names_are_unique(self) -> Iterator[Breach]:
        yield from _taken(self._names_of_models())

    @rule(
        "names of adapters must be unique over the pool, and none a model's name or alias",
        cel="self.models.all(m, !has(m.loras) || [m.loras.map(lora, lora.name)].all(own, self.models.all(other, "
        "!(other.name in own) && !(has(other.aliases) && other.aliases.exists(name, name in own)) && "
        "(other.name == m.name || !has(other.loras) || !other.loras.exists(lora, lora.name in own)))))",
        at="models",
    )
    def _adapters_are_unique(self) -> Iterator[Breach]:
        yield from _taken(chain(self._names_of_models(), self._names_of_adapters()))

    @rule(
        "must not hold the name of a model, an alias or an adapter",
        cel="!has(self.routing.virtualModels) || self.routing.virtualModels.all(name, !self.models.exists(m, "
        "m.name == name || has(m.aliases) && name in m.aliases || "
        "has(m.loras) && m.loras.exists(lora, lora.name == name)))",
        at="routing.virtualModels",
    )
    def _virtual_names_are_free(self) -> Iterator[Breach]:
        yield from _taken(self.names())

    @rule(
        "the models that the policy names must be of the pool",
        cel=f"(self.routing.policy != 'Static' || has(self.routing.staticModel) && {_member('staticModel')}) && "
        "(self.routing.policy != 'Random' || !has(self.routing.weights) || "
        "self.routing.weights.all(name, self.models.exists(m, m.name == name))) && "
        "(self.routing.policy != 'Threshold' || "
        f"(!has(self.routing.smallModel) || {_member('smallModel')}) && "
        f"(!has(self.routing.largeModel) || {_member('largeModel')}))",
        at="routing",
    )
    def _routing_names_members(self) -> Iterator[Breach]:
        names = [model.name for model in self.models]
        for field, name in self.routing.named():
            if name not in names and (name is not None or self.routing.policy == "Static"):
                yield Breach(f"routing.{field}", f"must name a model of the pool: {', '.join(names)}")

    @rule(
        "descriptor.parametersB is required with policies that count cost",
        cel=f"!({_COUNTS_COST}) || self.models.all(m, m.?descriptor.?parametersB.hasValue())",
        at="models",
    )
    def _cost_has_parameters(self) -> Iterator[Breach]:
        for index, model in enumerate(self.models):
            if self.routing.counts_cost() and not model.descriptor.parameters_b:
                sentence = f"is required with policy {self.routing.policy}, which counts cost by parameters"
                yield Breach(f"models[{index}].descriptor.parametersB", sentence)

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield every name that a request may ask for, after its path."""
        yield from self._names_of_models()
        yield from self._names_of_adapters()
        yield from ((f"routing.virtualModels[{n}]", name) for n, name in enumerate(self.routing.virtual_models))

    def _names_of_models(self) -> Iterator[tuple[str, str]]:
        for index, model in enumerate(self.models):
            yield f"models[{index}].name", model.name
            yield from ((f"models[{index}].aliases[{n}]", alias) for n, alias in enumerate(model.aliases))

    def _names_of_adapters(self) -> Iterator[tuple[str, str]]:
        for index, model in enumerate(self.models):
            yield from ((f"models[{index}].loras[{n}].name", lora.name) for n, lora in enumerate(model.loras))
