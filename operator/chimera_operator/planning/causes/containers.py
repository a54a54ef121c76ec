"""Why a container does not run, or does not serve."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from chimera_operator.planning.causes.cause import Cause, Expected, Reason
from chimera_operator.planning.causes.engine_log import advice
from chimera_operator.planning.causes.images import image_cause
from chimera_operator.planning.causes.texts import clean, last_words
from chimera_operator.planning.reading.pods import Container, Ended

REPEATED = 2
"""Restarts after which a container that fails is in a loop: one may be bad luck."""

NEAR = 0.95
"""Share of the time for starting that a container must have had to have been ended for it: kubelets count probes."""

KILLED = frozenset({0, 137, 143})
"""Exit codes of a container that was told to end."""


_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}


def container_cause(container: Container, expected: Expected, *, unready_since: datetime | None) -> Cause | None:
    """Return why a container does not run or does not serve, or None where it does, or is about to.

    Args:
        container: The container.
        expected: What its replica was expected to be.
        unready_since: Since when its pod is not ready.
    """
    if container.ready:
        return None
    return (
        image_cause(container)
        or _not_created(container)
        or _ended(container, expected.startup)
        or _slow(container, expected)
        or _unhealthy(container, unready_since)
    )


def _not_created(container: Container) -> Cause | None:
    match container.waiting:
        case "CreateContainerConfigError":
            return Cause(reason=Reason.REFERENCE, message=_reference(container.message), container=container.name)
        case "CreateContainerError" | "RunContainerError" | "PreCreateHookError" | "PostStartHookError":
            message = f"the node cannot make the container: {clean(container.message) or container.waiting}"
            return Cause(reason=Reason.CONTAINER, message=message, container=container.name)
        case _:
            return None


def _reference(text: str) -> str:
    """Return what is missing, from words such as `secret "hf" not found`, `couldn't find key token in Secret ns/hf`."""
    if missing := re.search(r'(secret|configmap) "([\w.-]+)" not found', text, re.IGNORECASE):
        return f"there is no {_KINDS[missing[1].lower()]} {missing[2]} in the pool's namespace"
    if key := re.search(r"couldn't find key ([\w.-]+) in (\w+) (\S+)", text):
        return f"{_KINDS.get(key[2].lower(), key[2])} {key[3].rpartition('/')[2]} has no key {key[1]}"
    return f"something that the pod refers to is missing: {clean(text)}"


def _ended(container: Container, startup: timedelta) -> Cause | None:
    """Return why a container ended and has not come back to serve since."""
    last = container.ended or container.before
    if last is None or (container.running and container.started):
        return None
    found = _memory(container, last) or _known(last) or _timeout(last, startup) or _crash(container, last)
    return found and replace(found, container=container.name, exit_code=last.exit_code, at=last.at)


def _memory(container: Container, last: Ended) -> Cause | None:
    if last.reason != "OOMKilled":
        return None
    limit = f"its limit of {container.memory}" if container.memory else "what its node had"
    return Cause(reason=Reason.MEMORY, message=f"it took more memory than {limit}: raise resources.limits.memory")


def _known(last: Ended) -> Cause | None:
    if not last.exit_code or not (found := advice(last.message)):
        return None
    reason, helps = found
    said = last_words(last.message)
    return Cause(reason=reason, message=f"{helps} (it said: {said})" if said else helps)


def _timeout(last: Ended, startup: timedelta) -> Cause | None:
    if last.exit_code not in KILLED or last.began is None or last.at is None:
        return None
    if last.at - last.began < NEAR * startup:
        return None
    return Cause(reason=Reason.STARTUP, message=_too_slow(startup))


def _crash(container: Container, last: Ended) -> Cause | None:
    if not last.exit_code and container.restarts < REPEATED:
        return None
    often = f", {container.restarts} times so far" if container.restarts >= REPEATED else ""
    said = last_words(last.message)
    words = f": {said}" if said else "; its log says why"
    return Cause(reason=Reason.CRASH, message=f"it ends with exit code {last.exit_code}{often}{words}")


def _slow(container: Container, expected: Expected) -> Cause | None:
    if container.running is None or container.started or expected.now - container.running < expected.startup:
        return None
    message = _too_slow(expected.startup)
    return Cause(reason=Reason.STARTUP, message=message, container=container.name, at=container.running)


def _unhealthy(container: Container, unready_since: datetime | None) -> Cause | None:
    """Return that a container no longer serves: its pod has become unready since it runs, not before."""
    if not (container.running and container.started and unready_since and unready_since > container.running):
        return None
    message = "it runs, but no longer passes its readiness probe"
    return Cause(reason=Reason.UNHEALTHY, message=message, container=container.name, at=unready_since)


def _too_slow(startup: timedelta) -> str:
    seconds = round(startup.total_seconds())
    return (
        f"it did not serve within engine.startupSeconds, {seconds} s: raise it, or keep weights and compiled kernels "
        "on a claim under cache"
    )
