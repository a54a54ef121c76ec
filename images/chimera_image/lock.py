"""Locked requirements, as pip reads them (pure)."""

import re
from collections.abc import Collection, Iterator


def without(lock: str, names: Collection[str]) -> str:
    """Return a lock without some of its projects.

    Args:
        lock: Requirements with their hashes, of which each begins a line and indents what follows.
        names: Of the projects, as the lock writes them.

    Raises:
        ValueError: The lock does not have one of them.
    """
    entries = list(_entries(lock))
    if absent := set(names) - {name for name, _ in entries}:
        raise ValueError(f"the lock does not have {', '.join(sorted(absent))}")
    return "".join(text for name, text in entries if name not in names)


def _entries(lock: str) -> Iterator[tuple[str, str]]:
    for text in re.split(r"^(?=\S)", lock, flags=re.MULTILINE):
        yield text.partition("==")[0], text
