"""Where engines keep what is costly to make again: downloaded weights, compiled kernels."""

from typing import ClassVar, Literal

from chimera_operator.api.core import ClaimVolume
from chimera_operator.api.document import Document, OneOf, Rule
from chimera_operator.api.scalars import NonEmpty, Quantity


class EmptyDir(Document):
    """A folder on the node that ends with its pod."""

    size_limit: Quantity | None = None
    """Size at which the pod is evicted. Unset: the node's disk."""


class ClaimTemplate(Document):
    """A PersistentVolumeClaim that the operator makes for the model, and that ends with it."""

    size: Quantity
    """Size of the volume."""
    storage_class_name: NonEmpty | None = None
    """Class of the storage. Unset: the cluster's default."""
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"] = "ReadWriteMany"
    """ReadWriteMany: all replicas share it. ReadWriteOnce: for one node alone."""

    server_rules: ClassVar = (
        Rule(
            sentence="storageClassName and accessMode cannot change, a claim keeps them",
            cel="has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName) && "
            "(has(self.accessMode) ? self.accessMode : 'ReadWriteMany') == "
            "(has(oldSelf.accessMode) ? oldSelf.accessMode : 'ReadWriteMany')",
        ),
    )


class CacheVolume(OneOf):
    """A volume for a cache: exactly one of the fields."""

    empty_dir: EmptyDir | None = None
    """A folder on the node that ends with its pod."""
    pvc: ClaimVolume | None = None
    """A PersistentVolumeClaim that exists, shared by all who name it."""
    claim_template: ClaimTemplate | None = None
    """A PersistentVolumeClaim that the operator makes for the model."""


NODE_FOLDER = CacheVolume.model_validate({"emptyDir": {}})


class Cache(Document):
    """What survives a restart of a container, and on a claim that of a pod."""

    weights: CacheVolume = NODE_FOLDER
    """Weights from the hub. A folder of the node unless told otherwise: no cluster is sure to have storage for more."""
    compile: CacheVolume = NODE_FOLDER
    """What the engine compiled. On a claim a new pod begins minutes sooner."""
