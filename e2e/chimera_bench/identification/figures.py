"""Precision and recall of the links that were found, over all requests and by what their clients do."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from chimera_bench.identification.interleaving import FIRST, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How well the requests of one kind were put.

    Attributes:
        kind: What they are; `all` of them together.
        requests: Their number.
        linked: Requests for which an earlier workflow was found.
        right: Of these, those for which it was their own.
        due: Requests that had an earlier one: all but the first of each workflow.
    """

    kind: str
    requests: int
    linked: int
    right: int
    due: int

    @property
    def precision(self) -> float | None:
        """The share of found workflows that are the right one; None where none was found."""
        return self.right / self.linked if self.linked else None

    @property
    def recall(self) -> float | None:
        """The share of later requests whose own workflow was found; None where there is none."""
        return self.right / self.due if self.due else None

    def as_json(self) -> dict[str, object]:
        """Return the figures by name."""
        return asdict(self) | {"precision": self.precision, "recall": self.recall}


def figures(links: Sequence[Link]) -> list[Figures]:
    """Return the figures of all requests, then those of each kind, most frequent first."""
    kinds = {link.kind: 0 for link in links}
    for link in links:
        kinds[link.kind] += 1
    ordered = sorted(kinds, key=kinds.__getitem__, reverse=True)
    return [_of("all", links), *(_of(kind, (link for link in links if link.kind == kind)) for kind in ordered)]


def _of(kind: str, links: Iterable[Link]) -> Figures:
    some = list(links)
    return Figures(
        kind=kind,
        requests=len(some),
        linked=sum(link.claimed for link in some),
        right=sum(link.claimed and link.right for link in some),
        due=sum(link.kind != FIRST for link in some),
    )
