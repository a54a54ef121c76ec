"""How surely workflows are found without headers."""

import random

import pytest
from bench_workloads import run

from chimera_bench.identification.agents import Agent, agents
from chimera_bench.identification.figures import figures
from chimera_bench.identification.habits import EDITS, Message, Rates
from chimera_bench.identification.interleaving import FIRST, RETRY, Interleaving, Link
from chimera_bench.identification.measure import measure
from chimera_cli.identity import WORKFLOWS_PER_SECOND
from chimera_training.data import read_workflows, recorded_folder

QUIET = Rates(repeated=0, parallel=0, greedy=0, retried=0, branched=0, edited=0, respaced=0)
HISTORY = [
    {"role": "system", "content": "preamble"},
    {"role": "user", "content": "task"},
    {"role": "assistant", "content": "first reply"},
    {"role": "user", "content": "first observation"},
    {"role": "assistant", "content": "second reply"},
    {"role": "user", "content": "second observation"},
    {"role": "assistant", "content": "third reply"},
    {"role": "user", "content": "third observation"},
]


def dice(seed: int = 0) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a workload, not a secret


def made(rates: Rates, *, count: int = 40, seed: int = 0) -> list[Agent]:
    runs = [run("m", (30, 12, 5)), run("n", (7, 60))]
    return list(agents(runs, count=count, rate=5.0, rates=rates, draw=dice(seed)))


def test_workflows_are_found_without_headers() -> None:
    """The bar on the project's own data, at the default rates: precision .99, recall .97."""
    links = measure(
        read_workflows(recorded_folder()), count=800, rate=WORKFLOWS_PER_SECOND, rates=Rates(), seeds=range(2)
    )

    (everything, *_) = figures(links)

    assert everything.requests > 6000
    assert everything.precision is not None
    assert everything.recall is not None
    assert everything.precision >= 0.99
    assert everything.recall >= 0.97


def test_clients_without_habits_are_always_found() -> None:
    """Two turns a task, all of them right, whatever runs beside them."""
    links = Interleaving(QUIET, dice()).run(made(QUIET))

    assert {(link.kind, link.claimed) for link in links} == {(FIRST, False), ("plain", True)}
    assert all(link.right for link in links)


def test_every_run_of_a_workflow_is_one_agent() -> None:
    """Repetitions and parallel beginnings add agents; parallel ones begin at the same moment, with other voices."""
    parallel = made(Rates(repeated=0, parallel=1, greedy=1, edited=0), count=10)
    repeated = made(Rates(repeated=1, parallel=0, greedy=1, edited=0), count=10)

    assert len(made(QUIET, count=10)) == 10
    assert len({agent.begins for agent in parallel}) == 10 < len(parallel)
    assert len({agent.voice for agent in parallel}) == len(parallel)
    assert len(repeated) == 20
    assert len({agent.voice for agent in repeated}) == 2


def test_an_agent_says_what_was_recorded() -> None:
    """Its replies are as long as recorded; equal prompts in one voice get equal ones; observations follow."""
    one, same, other = (
        Agent(number=number, run=run("m", (3, 2)), tenant="", voice=voice, edit="plain", respaces=True, begins=0.0)
        for number, voice in enumerate(("a", "a", "b"))
    )
    calls = [agent.call(dice()) for agent in (one, same, other)]

    assert calls[0].reply == calls[1].reply != calls[2].reply
    assert (len(calls[0].reply.split()), calls[0].tokens) == (3, 3)
    one.take(calls[0].reply)
    assert [message["role"] for message in one.history] == ["system", "user", "assistant", "user"]
    assert one.history[2]["content"] == calls[0].reply.strip()
    one.take("end")
    assert not one.goes_on


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("slides", [0, 1, 4, 5, 6, 7]),
        ("forgets the task", [0, 4, 5, 6, 7]),
        ("summarises", [0, 1, 6, 7]),
        ("drops an observation", [0, 1, 2, 4, 5, 6, 7]),
        ("restamps the preamble", [1, 2, 3, 4, 5, 6, 7]),
        ("cuts replies", [0, 1, 3, 5, 7]),
    ],
)
def test_clients_edit_their_history(name: str, kept: list[int]) -> None:
    """Each in its own way, and the last observation always stays."""
    edited: list[Message] = EDITS[name](HISTORY, dice())

    assert [HISTORY.index(message) for message in edited if message in HISTORY] == kept
    assert edited[-1] == HISTORY[-1]


def test_equal_seeds_give_equal_links() -> None:
    """The measurement can be repeated."""
    runs = [run("m", (30, 12, 5))]

    first, second = (measure(runs, count=30, rate=5.0, rates=Rates(), seeds=range(2)) for _ in range(2))

    assert first == second


def test_figures_are_counted_over_what_is_due() -> None:
    """A wrong link of a first request costs precision; a later request that was not found costs recall."""
    links = [
        Link(kind=FIRST, claimed=False, right=True),
        Link(kind=FIRST, claimed=True, right=False),
        Link(kind="plain", claimed=True, right=True),
        Link(kind="plain", claimed=True, right=False),
        Link(kind=RETRY, claimed=False, right=False),
    ]

    everything, *kinds = figures(links)

    assert (everything.precision, everything.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert [(each.kind, each.precision, each.recall) for each in kinds] == [
        (FIRST, 0.0, None),
        ("plain", 0.5, 0.5),
        (RETRY, None, 0.0),
    ]


def test_rates_are_shares() -> None:
    """Anything else is refused by name."""
    with pytest.raises(ValueError, match="edited must be a share"):
        Rates(edited=1.5)
