"""Published measurements of one engine, and the same load on a simulated one with the operator's profile of its card.

They were taken on one RTX A6000 with vLLM 0.23 and Qwen2.5-7B-Instruct in bf16 (github.com/ld-singh/ai-factory-ops-lab,
inference benchmark report of 2026-06-27). Clients ask again as soon as they are answered, always the same short prompt.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request
from chimera_bench.pools import coefficients_of
from chimera_bench.validation.check import Check
from chimera_operator.api.model import ModelSpec
from chimera_operator.rendering.coefficients import step_time
from chimera_router.scheduling.types import Coefficients

TOLERANCE = 0.10

# The weights have 7.6 billion parameters in 28 layers; a token's keys and values take 57,344 bytes.
MODEL = ModelSpec.model_validate(
    {
        "name": "qwen2-5-7b",
        "accelerators": ({"class": "nvidia-rtx-a6000"},),
        "descriptor": {"parametersB": 7.6, "layers": 28, "kvBytesPerToken": 57_344},
    }
)

# Every request repeats one prompt of 40 tokens, chat template included; its last full block of 16 ends at 32, and the
# prefix cache holds what is before.
UNCACHED_TOKENS = 8

# Tokens of the answers: two sentences, 51 or 52 tokens on average; their spread was not published.
OUTPUT_TOKENS = range(42, 63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One level of the benchmark.

    Attributes:
        clients: Requests in flight at any time.
        requests: Asked in all.
        pace: Median milliseconds a token after the first.
        rate: Tokens a second over all clients; None where few requests or clients leave it to how a level begins.
    """

    clients: int
    requests: int
    pace: float
    rate: float | None = None


POINTS = (
    Point(clients=1, requests=12, pace=21.9),
    Point(clients=8, requests=12, pace=22.3),
    Point(clients=64, requests=512, pace=27.5),
    Point(clients=128, requests=512, pace=36.0),
    Point(clients=256, requests=512, pace=53.1, rate=4039.9),
)


def published_checks(points: Sequence[Point] = POINTS) -> Iterator[Check]:
    """Yield each measured figure beside the simulated one."""
    engine = coefficients_of(step_time(MODEL, path="model"))
    for point in points:
        case = f"A6000, Qwen2.5-7B, {point.clients} clients"
        pace, rate = closed_loop(engine, point)
        yield Check(case=case, figure="ms a token", known=point.pace, simulated=pace * 1e3, tolerance=TOLERANCE)
        if point.rate:
            yield Check(case=case, figure="tokens/s", known=point.rate, simulated=rate, tolerance=TOLERANCE)


def closed_loop(engine: Coefficients, point: Point, *, seed: int = 0) -> tuple[float, float]:
    """Run a level; return the median seconds a token after the first, and the tokens a second."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    first: dict[str, float] = {}
    paces: list[float] = []
    todo = [_request(number, draw) for number in range(point.requests)]
    tokens = sum(request.output_tokens for request in todo)

    def on_event(_: str, event: Event) -> None:
        if event.kind is EventKind.FIRST_TOKEN:
            first[event.request.id] = event.at
        if event.kind is EventKind.FINISHED:
            paces.append((event.at - first[event.request.id]) / (event.request.output_tokens - 1))
            ask()

    def ask() -> None:
        if todo:
            clock.submit("engine", todo.pop())

    clock = VirtualTime({"engine": Engine(engine)}, on_event)
    for _ in range(point.clients):
        clock.call_at(0.0, ask)
    seconds = clock.run()
    return median(paces), tokens / seconds


def _request(number: int, draw: random.Random) -> Request:
    return Request(id=f"{number}", prompt_tokens=UNCACHED_TOKENS, output_tokens=draw.choice(OUTPUT_TOKENS))
