"""One truth about the picker under every name, and told to all who watch."""

import pytest

from chimera_router import wire
from chimera_router.extproc.health import NOT_SERVING, SERVING, UNKNOWN, Health


@pytest.fixture
def health() -> Health:
    return Health()


def test_nothing_is_served_before_it_is_said(health: Health) -> None:
    """Every name answers so, but liveness: being alive is not being ready."""
    answers = {service: health.answer(service) for service in wire.HEALTH_SERVICES}

    assert not health.serving
    assert {service for service, answer in answers.items() if answer == SERVING} == {wire.LIVENESS}


def test_all_names_change_together(health: Health) -> None:
    """What is ready under one name is ready under each."""
    health.say(serving=True)
    assert {health.answer(service) for service in wire.HEALTH_SERVICES} == {SERVING}
    health.say(serving=False)
    assert health.answer(wire.LIVENESS) == SERVING
    assert health.answer("readiness") == NOT_SERVING


def test_other_names_are_unknown(health: Health) -> None:
    """Whatever the picker is."""
    assert not health.knows("other")
    assert health.answer("other") == UNKNOWN


def test_watchers_hear_what_is_and_every_change(health: Health) -> None:
    """Saying the same twice is no change; who does not want to hear more does not."""
    heard: list[bytes] = []
    health.watch("readiness", heard.append)
    health.say(serving=True)
    health.say(serving=True)
    health.forget(heard.append)
    health.say(serving=False)

    assert heard == [NOT_SERVING, SERVING]
    assert health.watchers == 0


def test_watcher_may_leave_while_it_is_told(health: Health) -> None:
    """The others hear of it all the same."""
    heard: list[bytes] = []

    def leaves(answer: bytes) -> None:
        heard.append(answer)
        health.forget(leaves)

    health.watch("readiness", leaves)
    health.watch("liveness", heard.append)
    health.say(serving=True)

    assert heard == [NOT_SERVING, SERVING, SERVING]
