"""What is asked for, and how fast: the requests of a measurement and their arrivals."""

from dataclasses import dataclass

from chimera_operator.local.errors import BadInputError

_KB, _MB = 1000, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of request and of answer.

    Attributes:
        body: Bytes of the request's body.
        chunks: Events of a streamed answer; 0 asks for one JSON object.
        gap: Seconds between them.
        modes: How fast it is asked for unless something else is wanted; of the largest bodies only as many at once as
            one Envoy can pass.
    """

    name: str
    body: int
    chunks: int = 0
    gap: float = 0.0
    modes: tuple[str, ...] = ("c16", "r100")


ENGINE_GAP = 0.005
"""Seconds between the chunks of an answer: an engine's at 200 tokens a second. Envoy joins those that come at once into
a few messages, which show nothing of what a stream costs."""

CASES = {
    case.name: case
    for case in (
        Case(name="json1k", body=_KB),
        Case(name="json100k", body=100 * _KB),
        Case(name="json1m", body=_MB, modes=("c4",)),
        Case(name="sse100", body=_KB, chunks=100, gap=ENGINE_GAP),
    )
}


@dataclass(frozen=True, slots=True)
class Closed:
    """So many connections, each of which sends its next request when it has its answer: how much can be served."""

    connections: int

    @property
    def name(self) -> str:
        """As the command line has it."""
        return f"c{self.connections}"


@dataclass(frozen=True, slots=True)
class Open:
    """Poisson arrivals at so many requests a second, whatever becomes of them: how long people wait."""

    rate: float

    @property
    def name(self) -> str:
        """As the command line has it."""
        return f"r{self.rate:g}"


Mode = Closed | Open


def case(name: str) -> Case:
    """Return a case by its name.

    Raises:
        BadInputError: There is none.
    """
    if name not in CASES:
        raise BadInputError(f"case {name}: must be one of {', '.join(CASES)}")
    return CASES[name]


def mode(name: str) -> Mode:
    """Return a mode by its name: `c16` is 16 connections, `r100` 100 requests a second.

    Raises:
        BadInputError: It is none.
    """
    kind, number = name[:1], name[1:]
    if kind in {"c", "r"} and number.isascii() and number.isdigit() and int(number) > 0:
        return Closed(int(number)) if kind == "c" else Open(float(number))
    raise BadInputError(f"mode {name}: must be c and a number of connections, or r and requests a second")
