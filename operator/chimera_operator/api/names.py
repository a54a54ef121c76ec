"""The names of what a pool becomes in a cluster, each made in one place and found again by the same rule."""

from hashlib import sha256

GROUP = "chimera.dev"
VERSION = "v1alpha1"

POOL_LABEL = f"{GROUP}/pool"
MODEL_LABEL = f"{GROUP}/model"
REVISION_LABEL = f"{GROUP}/revision"

LONGEST = 63  # characters of a label's value and of a Service's name
_POOL, _MODEL, _DIGEST = 26, 27, 8  # with two hyphens between them 63


def pool_object_name(pool: str, role: str) -> str:
    """Return the name of an object that a pool has one of, such as its picker: `<pool>-<role>`.

    Args:
        pool: Name of the pool, at most 40 characters.
        role: What the object is for, at most 22 characters, so that the name fits uncut.
    """
    return f"{pool}-{role}"


def model_object_name(pool: str, model: str) -> str:
    """Return the name of an object that each model of a pool has: `<pool>-<model>-<hash8>`.

    The digest keeps pool `a-b` with model `c` apart from pool `a` with model `b-c`, and long names, of which only the
    beginning is readable, from one another.
    """
    digest = sha256(f"{pool}/{model}".encode()).hexdigest()[:_DIGEST]
    return f"{pool[:_POOL].rstrip('-')}-{model[:_MODEL].rstrip('-')}-{digest}"
