"""What a pool's status said, held against what its clients saw."""

import pytest
from served_pools import Look, Status
from status_truth import AHEAD, BACK, lies, unserved
from steady_chats import Chat

SERVING = {"readyReplicas": 1, "updatedReadyReplicas": 1}
BEHIND = {"readyReplicas": 1}
AT = 100.0
ALL = int(2 * (BACK + AHEAD))  # chats


def status(*, ready: str, degraded: str = "False", model: Status = SERVING) -> Status:
    conditions = [{"type": "Ready", "status": ready}, {"type": "Degraded", "status": degraded}]
    return {"conditions": conditions, "models": [model]}


def chats(model: str, *, failing: int = 0, seconds: float = 0.1) -> list[Chat]:
    """Return a chat for each half second around a moment, the newest of which fail."""
    began = [AT - BACK + i / 2 for i in range(ALL)]
    return [
        Chat(began=at, ended=at + seconds, asked=model, failure="503" if i >= ALL - failing else "")
        for i, at in enumerate(began)
    ]


def test_ready_pool_that_refuses_lies() -> None:
    """It is not ready where all chats with a model were refused for a while, though another one serves."""
    seen = [*chats("small"), *chats("large", failing=ALL)]

    assert len(lies([Look(AT, status(ready="True"))], seen)) == 1
    assert unserved(Look(AT, {}), seen) == {"large"}


@pytest.mark.parametrize("said", [status(ready="False"), status(ready="True", degraded="True")])
def test_pool_that_says_what_it_refuses_is_true(said: Status) -> None:
    """To be not ready or degraded tells that a model is missing."""
    assert lies([Look(AT, said)], chats("large", failing=ALL)) == []


def test_pool_that_serves_and_says_no_lies() -> None:
    """It is ready where all chats get their answers."""
    assert len(lies([Look(AT, status(ready="False"))], [*chats("small"), *chats("large")])) == 1


def test_older_revision_is_not_ready() -> None:
    """A model that only replicas of an older revision serve is not ready, whoever gets answers."""
    assert lies([Look(AT, status(ready="False", model=BEHIND))], chats("small")) == []


@pytest.mark.parametrize("ready", ["True", "False"])
def test_what_changes_meanwhile_tells_nothing(ready: str) -> None:
    """Where some were served and some refused of late, a status may say either."""
    assert lies([Look(AT, status(ready=ready))], chats("small", failing=5)) == []


@pytest.mark.parametrize("ready", ["True", "False"])
def test_what_was_cut_had_been_served(ready: str) -> None:
    """A chat that failed late tells nothing of whether anybody is there."""
    assert lies([Look(AT, status(ready=ready))], chats("small", failing=ALL, seconds=4)) == []


def test_return_may_be_told_late() -> None:
    """A pool that is served again may say so a little later."""
    back = [*chats("small", failing=ALL)[:4], *chats("small")[4:]]

    assert lies([Look(AT, status(ready="False"))], back) == []


def test_status_may_be_ahead() -> None:
    """What a status tells may show a moment later: an engine that has just come, or gone."""
    came = [*chats("small", failing=ALL)[:-4], *chats("small")[-4:]]

    assert lies([Look(AT, status(ready="True"))], came) == []
    assert lies([Look(AT, status(ready="False"))], chats("small", failing=4)) == []


def test_nobody_asked_tells_nothing() -> None:
    """Without chats any status may be true."""
    assert lies([Look(AT + 100, status(ready="False"))], chats("small")) == []
