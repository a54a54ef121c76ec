"""The CustomResourceDefinitions, made from the types."""

from collections.abc import Mapping
from dataclasses import dataclass

from chimera_operator.api.document import Document
from chimera_operator.api.names import GROUP, VERSION
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.pooled_model import PooledModel
from chimera_operator.api.schema import Schema, structural, told_defaults


@dataclass(frozen=True, slots=True)
class Column:
    """What `kubectl get` shows of a resource.

    Attributes:
        name: Heading.
        path: Where it is, in JSONPath.
        type: Of the value.
        priority: 0 is always shown, 1 with `-o wide`.
    """

    name: str
    path: str
    type: str = "string"
    priority: int = 0

    def described(self) -> Schema:
        """Return the column as a definition has it."""
        return {"name": self.name, "type": self.type, "jsonPath": self.path, "priority": self.priority}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind, and how people and machines meet it.

    Attributes:
        document: Its type.
        short_name: What kubectl takes for its name.
        columns: What `kubectl get` shows.
        scale: Paths of the scale subresource; None for a kind without one.
        merged: Fields of the spec that are merged with each other before they are read. A default that the API server
            filled in there would count as given, and what it should be merged with would never apply.
    """

    document: type[Document]
    short_name: str
    columns: tuple[Column, ...]
    scale: Mapping[str, str] | None = None
    merged: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return self.document.__name__

    @property
    def plural(self) -> str:
        """Name in the API server's paths."""
        return f"{self.kind.lower()}s"


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_REASON = '.status.conditions[?(@.type=="Ready")].reason'
_MESSAGE = '.status.conditions[?(@.type=="Ready")].message'

RESOURCES = (
    Resource(
        document=HeterogeneousModelPool,
        short_name="hmp",
        columns=(
            Column("Models", ".status.readyModels"),
            Column("Replicas", ".status.readyReplicas"),
            Column("Status", _REASON),
            Column("URL", ".status.url"),
            _AGE,
            Column("Policy", ".spec.routing.policy", priority=1),
            Column("Pickers", ".status.picker.readyReplicas", "integer", priority=1),
            Column("Message", _MESSAGE, priority=1),
        ),
        merged=("models", "defaults"),
    ),
    Resource(
        document=PooledModel,
        short_name="pmodel",
        columns=(
            Column("Pool", ".spec.pool"),
            Column("Model", ".spec.model"),
            Column("Phase", ".status.phase"),
            Column("Replicas", ".spec.replicas", "integer"),
            Column("Ready", ".status.readyReplicas", "integer"),
            _AGE,
            Column("Revision", ".status.revision", priority=1),
            Column("Message", _MESSAGE, priority=1),
        ),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
)


def definitions() -> dict[str, Schema]:
    """Return every CustomResourceDefinition by its name."""
    return {f"{resource.plural}.{GROUP}": definition(resource) for resource in RESOURCES}


def definition(resource: Resource) -> Schema:
    """Return the CustomResourceDefinition of a kind."""
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": [resource.short_name],
        "categories": ["chimera"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [_version(resource)]},
    }


def _version(resource: Resource) -> Schema:
    scale = {"scale": dict(resource.scale)} if resource.scale else {}
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}, **scale},
        "additionalPrinterColumns": [column.described() for column in resource.columns],
        "schema": {"openAPIV3Schema": object_schema(resource)},
    }


def object_schema(resource: Resource) -> Schema:
    """Return the schema of a kind; Kubernetes itself knows what belongs into `metadata`."""
    found = resource.document.model_json_schema()
    whole = structural(found, found["$defs"])
    fields = whole["properties"]
    for name in ("apiVersion", "kind"):
        fields[name] = {"type": "string", "description": fields[name]["description"]}
    fields["metadata"] = {"type": "object"}
    fields["spec"]["properties"] |= {
        name: _merged_later(fields["spec"]["properties"][name]) for name in resource.merged
    }
    return {**whole, "required": ["spec"]}


def _merged_later(schema: Schema) -> Schema:
    """Return the schema with defaults told only; an object is there all the same, so that rules need not ask for it."""
    empty: Schema = {"default": {}} if "default" in schema else {}
    return {**told_defaults(schema), **empty}
