"""Makes the probe set: the same probes for the same seed, wherever it runs."""

from collections.abc import Callable, Mapping
from random import Random

from chimera_training.probes.arithmetic import algebra, conversion, word_problem
from chimera_training.probes.choices import choice
from chimera_training.probes.item import Item
from chimera_training.probes.probe import Probe
from chimera_training.probes.programs import output, strings
from chimera_training.probes.puzzles import dates, ordering

SEED = 20260322

# Probes of each kind and level. Ten tell whether a model gets such probes right within a sixth; 400 in all cost a model
# about 100,000 tokens.
EACH = 10

LEVELS = range(1, 6)

KINDS: Mapping[str, Callable[[Random, int], Item]] = {
    "word-problems": word_problem,
    "conversions": conversion,
    "algebra": algebra,
    "ordering": ordering,
    "dates": dates,
    "strings": strings,
    "program-output": output,
    "multiple-choice": choice,
}


def generate(seed: int = SEED) -> list[Probe]:
    """Return the set, by kind and level; no question occurs twice."""
    return [
        probe
        for kind, make in KINDS.items()
        for level in LEVELS
        # Each group has randomness of its own: a change to one leaves the others as they were.
        for probe in _group(make, Random(f"{seed} {kind} {level}"), kind=kind, level=level)  # noqa: S311 - no secret
    ]


def _group(make: Callable[[Random, int], Item], rng: Random, *, kind: str, level: int) -> list[Probe]:
    items: dict[str, Item] = {}
    while len(items) < EACH:
        item = make(rng, level)
        items.setdefault(item.question, item)
    return [
        Probe(
            id=f"{kind}-{level}-{number}",
            kind=kind,
            level=level,
            form=item.form,
            question=item.question,
            answer=item.answer,
        )
        for number, item in enumerate(items.values())
    ]
