"""Notes become Events: one for each thing, which counts when it is said again."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from recorded_calls import RecordedCalls
from scripted_apis import VirtualTime

from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.events import LONGEST, SERIES, WAITING, Recorder
from chimera_operator.cluster.port import Call, Verb
from chimera_operator.planning.status.notes import Note

pytestmark = pytest.mark.anyio

POOL = {"metadata": {"name": "pool", "namespace": "ns", "uid": "1-2-3"}}


def note(key: str = "a", message: str = "it happened") -> Note:
    return Note(type="Warning", reason="Happened", message=message, key=key)


class Recording:
    """A recorder, and what it posts."""

    def __init__(self, api: RecordedCalls, time: VirtualTime) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        self.recorder = Recorder(api=api, instance="operator-0", clock=time.clock, now=lambda: now)
        self.api = api
        self.time = time

    async def post(self, *notes: Note) -> list[Call]:
        """Return the calls that these notes lead to."""
        before = len(self.api.calls)
        for each in notes:
            self.recorder.record(POOL, each)
        task = asyncio.ensure_future(self.recorder.run())
        for _ in range(20 * len(notes) + 20):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return self.api.calls[before:]


@pytest.fixture
def recording() -> Iterator[Recording]:
    yield Recording(RecordedCalls(), VirtualTime())  # noqa: PT022 - a fixture of an async test


async def test_a_note_becomes_an_event(recording: Recording) -> None:
    """About the pool, with what the note says, cut to what the API server takes."""
    (call,) = await recording.post(note(message="x" * 2000))

    assert (call.verb, call.path) == (Verb.CREATE, "/apis/events.k8s.io/v1/namespaces/ns/events")
    assert call.body is not None
    body = dict(call.body)
    assert (body["type"], body["reason"], body["note"]) == ("Warning", "Happened", "x" * LONGEST)
    assert body["regarding"] == {
        "apiVersion": "chimera.dev/v1alpha1",
        "kind": "HeterogeneousModelPool",
        "name": "pool",
        "namespace": "ns",
        "uid": "1-2-3",
    }
    assert body["reportingInstance"] == "operator-0"


async def test_the_same_again_counts(recording: Recording) -> None:
    """It is one Event, whose series grows; something else is another Event."""
    calls = await recording.post(note(), note(), note(), note("b"))

    assert [call.verb for call in calls] == [Verb.CREATE, Verb.PATCH, Verb.PATCH, Verb.CREATE]
    counts = [call.body["series"]["count"] for call in calls if call.body and call.verb is Verb.PATCH]
    assert counts == [2, 3]
    assert calls[0].body is not None
    assert calls[1].path.endswith(f"/events/{calls[0].body['metadata']['name']}")


async def test_what_was_long_ago_is_news(recording: Recording) -> None:
    """After a series' time the same note is an Event of its own, under its own name."""
    (first,) = await recording.post(note())
    recording.time.now += SERIES
    recording.recorder.now = lambda: datetime(2026, 1, 2, tzinfo=UTC)
    (second,) = await recording.post(note())

    assert second.verb is Verb.CREATE
    assert first.body is not None
    assert second.body is not None
    assert first.body["metadata"]["name"] != second.body["metadata"]["name"]


async def test_an_event_that_is_refused_stops_nothing() -> None:
    """The next note is posted all the same, and the lost one begins anew."""
    failures = iter([ApiServerError(ApiFailure.SERVER_ERROR)])
    recording = Recording(RecordedCalls(lambda call: next(failures, call.body or {})), VirtualTime())

    calls = await recording.post(note(), note("b"), note())

    assert [call.verb for call in calls] == [Verb.CREATE] * 3


async def test_too_many_are_dropped(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody waits for Events; beyond a thousand the log says so instead."""
    for number in range(WAITING + 1):
        recording.recorder.record(POOL, note(str(number)))

    assert "an event is not posted" in "".join(capsys.readouterr())
