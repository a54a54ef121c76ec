"""The names of what a pool becomes in a cluster, each made in one place and found again by the same rule."""

from hashlib import sha256

GROUP = "chimera.dev"
VERSION = "v1alpha1"

POOL_LABEL = f"{GROUP}/pool"
MODEL_LABEL = f"{GROUP}/model"
REVISION_LABEL = f"{GROUP}/revision"
ACCELERATOR_LABEL = f"{GROUP}/accelerator"

LONGEST = 63  # characters of a label's value and of a Service's name
_POOL, _MODEL, _DIGEST = 26, 27, 8  # with two hyphens between them 63
_WITH_PART = 18, 18, 16  # of pool, model and part; with three hyphens and the digest 63


def pool_object_name(pool: str, role: str) -> str:
    """Return the name of an object that a pool has one of, such as its picker: `<pool>-<role>`.

    Args:
        pool: Name of the pool, at most 40 characters.
        role: What the object is for, at most 22 characters, so that the name fits uncut.
    """
    return f"{pool}-{role}"


def model_object_name(pool: str, model: str, part: str = "") -> str:
    """Return the name of an object that each model of a pool has: `<pool>-<model>-<hash8>`.

    The digest keeps pool `a-b` with model `c` apart from pool `a` with model `b-c`, and long names, of which only the
    beginning is readable, from one another.

    Args:
        pool: Name of the pool.
        model: Name of the model.
        part: What tells objects of one kind apart, such as the accelerator: `<pool>-<model>-<part>-<hash8>`.
    """
    words = (pool, model, part) if part else (pool, model)
    lengths = _WITH_PART if part else (_POOL, _MODEL)
    digest = sha256("/".join(words).encode()).hexdigest()[:_DIGEST]
    return "-".join((*(word[:length].rstrip("-") for word, length in zip(words, lengths, strict=True)), digest))
