from pathlib import Path

import pytest
from directors import Clock
from pools import FAST, decision, endpoint, model

from chimera_router.datalayer import discovery
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import ConfigError
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import EngineMetrics

HOME = endpoint("a-0", "a")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"endpoints": [{"name": "a-0", "address": "10.0.0.1:8000", "model": "a"}]}', id="json"),
        pytest.param("endpoints:\n- {name: a-0, address: '10.0.0.1:8000', model: a}\n", id="yaml"),
    ],
)
def test_endpoints_are_read_from_json_and_yaml(text: str) -> None:
    """Both notations give the same endpoints."""
    assert discovery.parse(text, models={"a"}) == (HOME,)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("endpoints: 3", "not a list"),
        ("{", "not a list"),
        ("endpoints: [{name: a, address: '1.2.3.4:80', model: a, port: 3}]", "not a list"),
        ("endpoints: [{name: a, address: '1.2.3.4:80', model: b}]", r"endpoints\[0\].model"),
        ("endpoints: [{name: a, address: 'host:80', model: a}]", r"endpoints\[0\].address"),
        ("endpoints: [{name: a, address: '1.2.3.4:0', model: a}]", r"endpoints\[0\].address"),
        ("endpoints: [{name: a, address: '::1:80', model: a}]", r"endpoints\[0\].address"),
        (
            "endpoints: [{name: a, address: '1.2.3.4:80', model: a}, {name: a, address: '1.2.3.4:81', model: a}]",
            "every name must be unique",
        ),
        (
            "endpoints: [{name: a, address: '1.2.3.4:80', model: a}, {name: b, address: '1.2.3.4:80', model: a}]",
            "every address must be unique",
        ),
    ],
)
def test_broken_endpoints_are_named(text: str, rule: str) -> None:
    """A list that breaks a rule is refused with the place and the rule."""
    with pytest.raises(ConfigError, match=rule):
        discovery.parse(text, models={"a"})


def test_ipv6_needs_brackets() -> None:
    """An IPv6 address is written in brackets."""
    (found,) = discovery.parse("endpoints: [{name: a, address: '[::1]:80', model: a}]", models={"a"})

    assert found.address == "[::1]:80"


def test_missing_endpoints_file_is_named(tmp_path: Path) -> None:
    """The refusal names the file."""
    with pytest.raises(ConfigError, match=r"nothing\.json"):
        discovery.read(tmp_path / "nothing.json", models={"a"})


def test_endpoint_is_ready_once_it_has_answered() -> None:
    """A new endpoint gets nothing until it has answered, and nothing again once it fails."""
    store = Datastore(Ledger())
    store.replace([HOME])

    def ready() -> bool:
        return store.snapshot({"a": model("a", FAST)}).endpoints[0].ready

    before = ready()
    store.answered(HOME.address, None)
    between = ready()
    store.failed(HOME.address)

    assert (before, between, ready()) == (False, True, False)


def silenced(*addresses: str) -> Datastore:
    """Return a store of so many endpoints, all of which were ready and fell silent."""
    store = Datastore(Ledger())
    store.replace([endpoint(each, "a", 8000 + number) for number, each in enumerate(addresses)])
    for each in store.endpoints:
        store.answered(each.address, None)
    for each in store.endpoints:
        store.failed(each.address, silent=True)
    return store


def readiness(store: Datastore) -> list[bool]:
    return [state.ready for state in store.snapshot({"a": model("a", FAST)}).endpoints]


def test_one_engine_that_falls_silent_is_left() -> None:
    """Of a single engine its own death is likelier than the picker's trouble."""
    assert readiness(silenced("a-0")) == [False]


def test_all_engines_that_fall_silent_are_kept() -> None:
    """It is likelier the picker that is in trouble; one that answers again ends the doubt."""
    store = silenced("a-0", "a-1")
    doubted = readiness(store)
    store.failed(store.endpoints[1].address, silent=True)
    again = readiness(store)

    store.answered(store.endpoints[0].address, None)

    assert (doubted, again, readiness(store)) == ([True, True], [True, True], [True, False])


def test_gateways_word_ends_the_doubt() -> None:
    """An engine that it does not reach either is left, and stays left while it says nothing."""
    store = silenced("a-0", "a-1", "a-2")

    store.missed(store.endpoints[0].address)
    store.failed(store.endpoints[0].address, silent=True)

    assert readiness(store) == [False, True, True]


def test_engine_that_the_gateway_does_not_reach_is_barred_for_ever_longer() -> None:
    """Used again when it answers, the first time; then not for one second, two, four and so on, until one is served."""
    clock = Clock()
    store = Datastore(Ledger(), clock=clock)
    store.replace([HOME])
    store.answered(HOME.address, None)
    waited = []
    for _ in range(7):
        store.missed(HOME.address)
        store.missed(HOME.address)  # another request that was under way
        began = clock.now
        while not readiness(store)[0]:
            store.answered(HOME.address, None)
            clock.now += 0.25
        waited.append(int(clock.now - began))
    store.served(HOME.address)
    store.missed(HOME.address)
    store.answered(HOME.address, None)

    assert waited == [0, 1, 2, 4, 8, 16, 16]
    assert readiness(store) == [True]


def test_engines_that_refuse_are_all_left() -> None:
    """A refusal is an answer: nobody is there."""
    store = silenced("a-0", "a-1")
    for each in store.endpoints:
        store.failed(each.address)

    assert readiness(store) == [False, False]


def test_engines_that_never_answered_are_not_doubted() -> None:
    """A picker that starts knows of nobody who serves."""
    store = Datastore(Ledger())
    store.replace([endpoint("a-0", "a"), endpoint("a-1", "a", 8001)])
    for each in store.endpoints:
        store.failed(each.address, silent=True)

    assert readiness(store) == [False, False]


def test_engine_may_be_missed_for_days() -> None:
    """However often the gateway has missed it, it is tried again after the longest wait."""
    clock = Clock()
    store = Datastore(Ledger(), clock=clock)
    store.replace([HOME])
    for _ in range(2000):
        clock.now += 16.0
        store.answered(HOME.address, None)
        assert readiness(store) == [True]
        store.missed(HOME.address)


def test_own_requests_are_counted_when_the_engine_is_asked() -> None:
    """Metrics keep how many of the requests they show were this picker's own at that moment."""
    ledger = Ledger()
    store = Datastore(ledger)
    store.replace([HOME])
    tickets = [ledger.open(decision(HOME), prompt_tokens=10) for _ in range(3)]

    store.answered(HOME.address, EngineMetrics(running=5, waiting=0, kv_usage=0.1))
    ledger.close(tickets[0])

    (found,) = store.snapshot({"a": model("a", FAST)}).endpoints
    assert found.metrics is not None
    assert (found.metrics.own, found.load.requests) == (3, 2)


def test_snapshot_makes_only_what_has_changed() -> None:
    """An endpoint that nothing has happened to is the same value in the next snapshot."""
    ledger = Ledger()
    store = Datastore(ledger)
    store.replace([HOME, endpoint("a-1", "a", 8001)])
    models = {"a": model("a", FAST)}
    before = store.snapshot(models).endpoints

    ledger.open(decision(HOME), prompt_tokens=10)

    after = store.snapshot(models).endpoints
    assert [new is old for new, old in zip(after, before, strict=True)] == [False, True]


def test_new_list_keeps_what_is_known_of_those_that_stay() -> None:
    """A reload forgets neither readiness nor metrics of endpoints that are still listed."""
    store = Datastore(Ledger())
    other = endpoint("a-1", "a", 8001)
    store.replace([HOME])
    store.answered(HOME.address, EngineMetrics(running=1, waiting=0, kv_usage=0.0))

    store.replace([HOME, other])

    first, second = store.snapshot({"a": model("a", FAST)}).endpoints
    assert (first.ready, first.metrics is not None, second.ready) == (True, True, False)


def test_address_that_changes_model_starts_anew() -> None:
    """A port reused by another model is another endpoint."""
    store = Datastore(Ledger())
    store.replace([HOME])
    store.answered(HOME.address, None)

    store.replace([endpoint("b-0", "b")])

    assert not store.snapshot({"b": model("b", FAST)}).endpoints[0].ready


def test_models_that_left_the_pool_have_no_endpoints() -> None:
    """A snapshot lists only endpoints of models it knows."""
    store = Datastore(Ledger())
    store.replace([HOME])

    assert store.snapshot({"b": model("b", FAST)}).endpoints == ()


def test_strangers_are_ignored() -> None:
    """News of an address that is not listed changes nothing."""
    store = Datastore(Ledger())

    store.answered("10.0.0.9:1", None)
    store.failed("10.0.0.9:1")
    store.missed("10.0.0.9:1")
    store.served("10.0.0.9:1")

    assert store.endpoints == ()


def test_what_an_engine_said_is_old_once_a_request_goes_there() -> None:
    """Whoever asks engines is told, and also when the gateway finds nobody there; once for each time it was ready."""
    told: list[str] = []
    store = Datastore(Ledger())
    store.outdated = told.append
    store.replace([HOME])
    store.answered(HOME.address, None)

    store.sent(HOME.address)
    store.missed(HOME.address)
    store.missed(HOME.address)

    assert told == [HOME.address] * 2


def test_new_list_is_announced() -> None:
    """Whoever asks engines follows the list, and may look at it when told."""
    seen: list[int] = []
    store = Datastore(Ledger())
    store.listed = lambda: seen.append(len(store.endpoints))

    store.replace([HOME])
    store.replace([])

    assert seen == [1, 0]


def test_own_requests_are_this_pickers() -> None:
    """An endpoint's own requests are those in the ledger, whatever its engine shows."""
    ledger = Ledger()
    store = Datastore(ledger)
    store.replace([HOME])
    ledger.open(decision(HOME), prompt_tokens=10)
    store.answered(HOME.address, EngineMetrics(running=5, waiting=0, kv_usage=0.1))

    assert (store.own(HOME.address), store.own("10.0.0.9:1")) == (1, 0)
