"""What images are called (pure). None of these names is a registry's, so no node goes and asks one."""


def own(name: str) -> str:
    """Return the image of one of the cluster's own programs."""
    return f"localhost/{name}:chimera"


def of_part(part: str, version: str) -> str:
    """Return the image of a part of Chimera."""
    return f"localhost/chimera-{part}:{version}"
