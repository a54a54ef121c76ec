"""The family of a model, from the name under which its source published it."""

import re

# Up to the size: `Meta-Llama-3.1-8B-Instruct` and `Mixtral-8x7B-Instruct-v0.1` end before `-8B`, `-8x7B`.
_SIZED = re.compile(r"^(?:meta-)?(?P<family>.+?)-(?:\d+x)?\d+(?:\.\d+)?b(?:-|$)")

# A model without a size in its name: what says how it was tuned goes, and so does a date.
_TUNING = re.compile(r"^(?:meta-)?(?P<family>.+?)(?:-(?:instruct|chat|it|hf|v?\d{2,}[\w.-]*))*$")


def family_of(name: str) -> str:
    """Return the family, in lower case, as a pool's descriptor would name it: `llama-3.1`, `qwen2.5`, `gpt-4o`."""
    lower = name.lower()
    found = _SIZED.match(lower) or _TUNING.match(lower)
    return found["family"] if found else lower
