"""Requests that wait in the picker, in virtual time: a quarter second a token, one slot an engine."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from bench_engines import request as generation
from bench_serving import serving_pool
from pools import prediction, predictions

from chimera_bench.engine.types import SchedulingPolicy
from chimera_bench.replay.holding import Holding, Turn
from chimera_bench.replay.simulated_pool import SimulatedPool
from chimera_bench.serving import ServingPool
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling.orders import EPOCH
from chimera_router.scheduling.policies import LeastLoaded, Policy, RoundRobin, Static
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision, PoolSnapshot, SchedulingRequest

ONE = serving_pool("m").with_slots(1)


class Picker:
    """Sends requests through a hold queue, and writes down when each ends and where it went."""

    def __init__(self, pool: ServingPool, policy: Policy | None = None, limits: HoldLimits | None = None) -> None:
        self.pool = SimulatedPool(pool, SchedulingPolicy.PRIORITY)
        self.pool.scrape()
        self.scheduler = Scheduler(policy=policy or RoundRobin())
        self.holding = Holding(self.pool, self.scheduler, limits or HoldLimits())
        self.ended: dict[str, float] = {}
        self.sent: dict[str, str] = {}
        self.refused: dict[str, float] = {}

    def at(self, moment: float, *names_and_tokens: tuple[str, int]) -> None:
        for name, tokens in names_and_tokens:
            self.pool.time.call_at(moment, self._asker(name, tokens))

    def look(self, moment: float) -> list[int]:
        """Return a list that will hold, at a moment, how many wait and how many are at each engine."""
        seen: list[int] = []

        def write() -> None:
            seen.extend([len(self.holding), *(state.load.requests for state in self.pool.snapshot().endpoints)])

        self.pool.time.call_at(moment, write)
        return seen

    def _asker(self, name: str, tokens: int) -> Callable[[], None]:
        foreseen = predictions(**{model: prediction(0.5, float(tokens)) for model in ("m", "S", "L")})

        def ask() -> None:
            asked = SchedulingRequest(workflow=0, prompt_tokens=100, arrival=EPOCH + self.pool.time.now)
            self.holding.ask(asked, foreseen, Turn(begin=begin, refuse=refuse))

        def begin(snapshot: PoolSnapshot) -> None:
            asked = SchedulingRequest(workflow=0, prompt_tokens=100, arrival=EPOCH)
            decision = self.scheduler.schedule(asked, foreseen, snapshot, self.pool.time.now)
            assert isinstance(decision, Decision)
            self.sent[name] = decision.endpoint.name
            self.pool.send(decision, generation(name, output=tokens), prompt_tokens=100, on_end=end)

        def refuse() -> None:
            self.refused[name] = self.pool.time.now

        def end() -> None:
            self.ended[name] = self.pool.time.now

        return ask


def test_a_request_goes_on_while_there_is_a_slot() -> None:
    """Nothing waits for no reason."""
    picker = Picker(ONE)
    picker.at(0.0, ("a", 4))
    seen = picker.look(0.1)
    picker.pool.time.run()

    assert (seen, picker.ended) == ([0, 1], {"a": 1.0})


def test_others_wait_in_the_picker_and_not_at_the_engine() -> None:
    """The engine has what it can run; the least work goes first when a slot is free, at once."""
    picker = Picker(ONE)
    picker.at(0.0, ("a", 4), ("long", 40), ("short", 8))
    seen = picker.look(0.1)
    picker.pool.time.run()

    assert seen == [2, 1]
    assert picker.ended == {"a": 1.0, "short": 3.0, "long": 13.0}


def test_whoever_waits_goes_to_the_engine_that_is_free_first() -> None:
    """Whichever of the model's it was meant for when it came."""
    picker = Picker(replace(ONE, endpoints=2))
    picker.at(0.0, ("long", 40), ("short", 4), ("next", 4), ("last", 8))
    picker.pool.time.run()

    assert picker.sent["next"] == picker.sent["last"] == picker.sent["short"] != picker.sent["long"]
    assert picker.ended == {"short": 1.0, "next": 2.0, "last": 4.0, "long": 10.0}


def test_whoever_waits_counts_when_the_model_is_chosen() -> None:
    """As if it stood in the queue of the engine that it was meant for; it goes to no other model."""
    picker = Picker(serving_pool("S", "L").with_slots(1), LeastLoaded())
    picker.at(0.0, ("a", 40), ("b", 4), ("c", 8), ("d", 8))
    picker.pool.time.run()

    assert picker.sent == {"a": "S-0", "b": "L-0", "c": "S-0", "d": "L-0"}


def test_whoever_waited_goes_before_who_comes_then() -> None:
    """A slot that is freed is taken before the client of what has just ended asks again."""
    picker = Picker(ONE)
    picker.at(0.0, ("a", 4), ("waits", 8))
    picker.at(1.0, ("comes", 4))
    picker.pool.time.run()

    assert picker.ended == {"a": 1.0, "waits": 3.0, "comes": 4.0}


def test_who_has_waited_long_enough_is_refused() -> None:
    """At its deadline, whether or not anything else happens then."""
    picker = Picker(ONE, limits=HoldLimits(ttl=3.5))
    picker.at(0.0, ("a", 40))
    picker.at(1.0, ("b", 4))
    picker.pool.time.run()

    assert (picker.refused, picker.ended) == ({"b": 4.5}, {"a": 10.0})


def test_beyond_the_caps_nobody_waits() -> None:
    """By requests, and by bytes at four characters a token."""
    few = Picker(ONE, limits=HoldLimits(max_requests=1))
    small = Picker(ONE, limits=HoldLimits(max_bytes=799))
    for picker in (few, small):
        picker.at(0.0, ("a", 4), ("b", 4), ("c", 4))
        picker.pool.time.run()

    assert few.refused == small.refused == {"c": 0.0}
    assert few.ended == small.ended == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize("policy", [RoundRobin(), LeastLoaded()])
def test_all_that_waited_is_forgotten_in_the_end(policy: Policy) -> None:
    """No ticket is left behind, however each ended."""
    picker = Picker(serving_pool("S", "L").with_slots(1), policy, HoldLimits(ttl=2.0))
    picker.at(0.0, *((str(number), 4 + number) for number in range(12)))
    picker.pool.time.run()

    assert len(picker.ended) + len(picker.refused) == 12
    assert picker.refused
    assert len(picker.holding) == 0
    assert not picker.holding._waiting
    assert all(not picker.holding._promised.of(name).requests for name in ("S-0", "L-0"))


def test_what_no_model_takes_is_refused() -> None:
    """There is nothing to wait for."""
    picker = Picker(ONE, Static("other"))
    picker.at(0.0, ("a", 4))
    picker.pool.time.run()

    assert picker.refused == {"a": 0.0}
