"""One run: start what has to run, hold the picker against the cases, stop what was started."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from chimera_conformance import runner
from chimera_conformance.case import Case, Profile
from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.gateway import client, engine, envoy
from chimera_conformance.launching import launched, serving
from chimera_conformance.picker import connected
from chimera_conformance.runner import Outcome
from chimera_conformance.target import Target
from chimera_conformance.through import GATEWAY_CASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run.

    Attributes:
        target: The picker; its address is still open where a command starts it.
        patterns: Names of cases to keep, with wildcards; none keeps all.
        command: Starts the picker; None where it runs already.
        engines: Whether the kit serves the endpoints itself.
        gateway: Whether to look through Envoy too.
        folder: For the files and logs of what is started.
    """

    target: Target
    folder: Path
    patterns: Sequence[str] = ()
    command: str | None = None
    engines: bool = False
    gateway: bool = False


def chosen(cases: Sequence[Case[Any]], plan: Plan) -> list[Case[Any]]:
    """Return the cases of the target's profiles that the patterns keep."""
    of_profile = [case for case in cases if case.profile in plan.target.profiles]
    return [case for case in of_profile if not plan.patterns or any(fnmatch(case.name, each) for each in plan.patterns)]


async def examine(plan: Plan) -> list[Outcome]:
    """Return the outcomes of all cases chosen.

    Raises:
        LaunchError: The picker does not serve.
        EnvoyError: Envoy does not.
        EngineError: An endpoint cannot be served.
    """
    async with AsyncExitStack() as stack:
        engines = engine.Engines()
        if plan.engines:
            engines = await stack.enter_async_context(engine.serving(plan.target.endpoints))
        target = await _started(plan, stack)
        await serving(target)
        picker = await stack.enter_async_context(connected(target))
        outcomes = await runner.run(chosen(STREAM_CASES, plan), picker, picker.settled)
        if plan.gateway:
            ports = await stack.enter_async_context(envoy.running(target, plan.folder))
            before = client.Gateway(target, engines, ports)
            outcomes += await runner.run(chosen(GATEWAY_CASES, plan), before, picker.settled)
        return outcomes


async def _started(plan: Plan, stack: AsyncExitStack) -> Target:
    """Start the picker where a command says how, and a second one without endpoints where cases need it."""
    if plan.command is None:
        return plan.target
    members = plan.target.endpoints
    main = launched(plan.command, endpoints=members, folder=plan.folder / "picker")
    target = replace(plan.target, address=await stack.enter_async_context(main))
    if Profile.EMPTY in target.profiles:
        empty = launched(plan.command, endpoints=(), folder=plan.folder / "empty-picker")
        target = replace(target, empty=await stack.enter_async_context(empty))
    return target
