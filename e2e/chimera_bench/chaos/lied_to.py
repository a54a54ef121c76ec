"""Row 5: one engine of four lies about its load, or does not say."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Site, ground
from chimera_bench.load import answers, engine
from chimera_bench.load.cases import Case, Open
from chimera_operator.local.ports import free_ports

LIES: Mapping[str, bytes | None] = {
    "always idle": answers.metrics(running=0),
    "always busy (stale)": answers.metrics(running=200, waiting=90_000, kv_usage=0.99),
    "NaN": answers.metrics(running="NaN", waiting="NaN", kv_usage="NaN"),
    "negative": answers.metrics(running=-5, waiting=-5, kv_usage=-1),
    "huge": answers.metrics(running=1e12, waiting=1e12, kv_usage=1e12),
    "nothing": b"",
    "no answer for 30 s and more": None,
}

_ENGINES = 4
_MOST, _LEAST = 0.4, 0.1  # shares; a fair one is .25, and .02 of that is chance
_STREAM = Case(name="stream", body=1000, chunks=40, gap=0.01)


async def lied_to(
    *, lies: Mapping[str, bytes | None] = LIES, rate: float = 40.0, seconds: float = 6.0
) -> list[Finding]:
    """Send streams through a picker that hears each of the lies.

    Args:
        lies: What the engine's page shows; None never shows it.
        rate: Requests a second, of .4 s each.
        seconds: Of load.
    """
    return [
        await _lied_to(f"5{chr(ord('a') + number)}", *lie, rate, seconds) for number, lie in enumerate(lies.items())
    ]


async def _lied_to(row: str, says: str, page: bytes | None, rate: float, seconds: float) -> Finding:
    async with AsyncExitStack() as stack:
        engines = await engine.serve(stack, free_ports(_ENGINES))
        engines[0].page = lambda: page
        ports = [each.port for each in engines]
        serving = await stack.enter_async_context(ground(Site(engines=ports, models=("small",))))
        samples = await serving.load(_STREAM).run(Open(rate), seconds)
        await asyncio.gather(*(picker.settle() for picker in serving.pickers))
    sent = Counter(sample.engine for sample in samples if sample.good)
    shares = [sent[str(port)] / max(1, sent.total()) for port in ports]
    return Finding(
        row=row,
        fault=f"one engine of {_ENGINES} says of its load: {says}",
        rule=f"every engine gets {_LEAST:.0%} to {_MOST:.0%} of the requests, none fails",
        figure=f"the liar {shares[0]:.0%}, the others {', '.join(f'{share:.0%}' for share in shares[1:])} "
        f"of {len(samples)}, {len(samples) - sent.total()} failed",
        passed=sent.total() == len(samples) and min(shares) >= _LEAST and max(shares) <= _MOST,
    )
