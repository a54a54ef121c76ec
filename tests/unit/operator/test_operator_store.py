"""Objects of one kind as the API server last said."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chimera_operator.api.names import POOL_LABEL
from chimera_operator.cluster.store import Name, Store

NAMES = st.sampled_from("abc")
POOLS = st.sampled_from(("", "p", "q"))
A = Name("ns", "a")


def thing(name: str = "a", version: int = 1, pool: str = "p", **data: Any) -> dict[str, Any]:
    labels = {"labels": {POOL_LABEL: pool}} if pool else {}
    metadata = {"namespace": "ns", "name": name, "resourceVersion": str(version), **labels}
    return {"kind": "Thing", "metadata": metadata, **data}


class Heard:
    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []

    def __call__(self, name: Name, pool: str) -> None:
        self.changes.append((name.name, pool))


def test_what_is_kept_comes_back() -> None:
    """An object is what it was, without the list of who wrote which field."""
    store = Store(Heard())
    kept = thing(spec={"é": [1, 2.5, None, True]})

    store.put({**kept, "metadata": {**kept["metadata"], "managedFields": [{"manager": "x"}]}})

    assert store.get(A) == kept
    assert list(store.of(Name("ns", "p"))) == [kept]
    assert list(store) == [kept]
    assert len(store) == 1
    assert store.get(Name("other", "a")) is None


def test_each_change_is_told_once() -> None:
    """What is known already, by an answer or by an earlier event, wakes nobody."""
    heard = Heard()
    store = Store(heard)

    for version in (1, 1, 2, 1):
        store.put(thing(version=version))
    store.remove(thing(version=3))
    store.remove(thing(version=3))

    assert heard.changes == [("a", "p")] * 3


def test_a_pool_that_loses_an_object_hears_of_it() -> None:
    """Whoever takes the label away is told to the pool that had it, and to the one that has it now."""
    heard = Heard()
    store = Store(heard)
    store.put(thing())

    store.put(thing(version=2, pool="q"))

    assert sorted(heard.changes[1:]) == [("a", "p"), ("a", "q")]
    assert list(store.of(Name("ns", "p"))) == []


def test_old_events_do_not_bring_back_what_is_gone() -> None:
    """A deletion older than what is known is of an earlier object of that name."""
    store = Store(Heard())
    store.put(thing(version=5))

    store.remove(thing(version=4))

    assert store.get(A) is not None


def test_an_answer_is_not_believed_where_the_watch_is_further() -> None:
    """What was written may be deleted by the time the answer arrives; the watch knows, and says it only once."""
    store = Store(Heard())
    store.seen = 7

    store.learn(thing(version=6))
    assert store.get(A) is None

    store.learn(thing(version=8))
    assert store.get(A) is not None


def test_a_list_ends_what_it_does_not_have() -> None:
    """What a list lacks is gone, unless it is newer than the list, or of a namespace that the list is not of."""
    store = Store(Heard())
    for name, version in (("a", 1), ("b", 2), ("c", 9)):
        store.put(thing(name, version))

    store.retain({A}, version="5", namespace="other")
    assert len(store) == 3

    store.retain({A}, version="5")
    assert {name.name for name in store.names()} == {"a", "c"}

    store.clear(namespace="other")
    assert len(store) == 2
    store.clear()
    assert len(store) == 0


def test_what_nobody_reads_is_not_kept() -> None:
    """An object that its readers do not need is forgotten, also where it was needed before."""
    heard = Heard()
    store = Store(heard, lambda manifest: manifest if manifest.get("use") else None)

    store.put(thing(version=1, use=1))
    store.put(thing(version=2))
    store.put(thing(version=3))

    assert len(store) == 0
    assert len(heard.changes) == 2


def test_only_what_is_read_counts_as_a_change() -> None:
    """A node whose kubelet reports that nothing has changed wakes nobody."""
    heard = Heard()
    store = Store(heard, lambda manifest: {"metadata": {"name": "a"}, "kept": manifest["kept"]})

    for version, kept in ((1, "x"), (2, "x"), (3, "y")):
        store.put(thing(version=version, kept=kept))

    assert len(heard.changes) == 2


class AsADictionary(RuleBasedStateMachine):
    """Whatever is put and removed in order, the store has what a dictionary has."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(Heard())
        self.model: dict[str, dict[str, Any]] = {}
        self.version = 0

    @rule(name=NAMES, pool=POOLS)
    def put(self, name: str, pool: str) -> None:
        self.version += 1
        self.model[name] = thing(name, self.version, pool)
        self.store.put(self.model[name])

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.version += 1
        self.model.pop(name, None)
        self.store.remove(thing(name, self.version))

    @rule(names=st.sets(NAMES))
    def retain(self, names: set[str]) -> None:
        self.version += 1
        self.model = {name: each for name, each in self.model.items() if name in names}
        self.store.retain({Name("ns", name) for name in names}, version=str(self.version))

    @invariant()
    def same(self) -> None:
        assert sorted(each["metadata"]["name"] for each in self.store) == sorted(self.model)
        for pool in "pq":
            ours = [self.model[name] for name in sorted(self.model) if _pool(self.model[name]) == pool]
            assert list(self.store.of(Name("ns", pool))) == ours


def _pool(manifest: dict[str, Any]) -> str:
    pool: str = manifest["metadata"].get("labels", {}).get(POOL_LABEL, "")
    return pool


TestAsADictionary = AsADictionary.TestCase
TestAsADictionary.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)


@given(st.lists(st.tuples(NAMES, st.integers(1, 9)), max_size=12))
def test_the_newest_wins_in_any_order(arrivals: list[tuple[str, int]]) -> None:
    """Answers and events may overtake each other: what is kept is the newest of each name."""
    store = Store(Heard())

    for name, version in arrivals:
        store.put(thing(name, version))

    newest = {name: max(version for each, version in arrivals if each == name) for name, _ in arrivals}
    assert {each["metadata"]["name"]: int(each["metadata"]["resourceVersion"]) for each in store} == newest
