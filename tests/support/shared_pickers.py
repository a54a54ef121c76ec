"""Tables of several pickers that share through one server, without the rest of a picker."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from chimera_router.parsing.messages import Message
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.scheduling.types import Assignment
from chimera_router.sharing.codec import Codec
from chimera_router.sharing.sealing import Seal
from chimera_router.sharing.server import Server
from chimera_router.sharing.workflows import RemoteWorkflows
from chimera_router.telemetry.sharing import SharingMetrics
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.identity import Claim
from chimera_router.workflow.program import Program
from chimera_router.workflow.table import Arrival, ProgramTable

SECRET = b"0123456789abcdef"
PATIENT = 5.0  # seconds; a look-up in a test is in time however busy the machine
_numbers = itertools.count()


@dataclass(slots=True)
class SharingTable:
    """One picker's table, and how it shares."""

    shared: RemoteWorkflows
    registry: CollectorRegistry
    table: ProgramTable = field(
        default_factory=lambda: ProgramTable(new_id=lambda: f"wf-{next(_numbers)}"), kw_only=True
    )

    def __post_init__(self) -> None:
        self.table.changed = self.shared.tell

    async def arrive(
        self, *messages: Message, tenant: str = "", claim: Claim | None = None, previous: str = ""
    ) -> Arrival:
        asked = Conversation.of(messages, tenant=tenant, previous=previous)
        lookup = self.table.lookup(asked, claim)
        if lookup is not None:
            self.table.adopt(tenant, await self.shared.look_up(lookup), time.monotonic())
        return self.table.arrive(asked, claim=claim, now=time.monotonic())

    def answered(self, arrival: Arrival, told: str | Reply, *, tokens: int, response: str = "") -> None:
        reply = Reply(told) if isinstance(told, str) else told
        place = Assignment(model="large", endpoint="10.0.0.1:80", seen_tokens=tokens)
        self.table.assign(arrival.program, place, confidence=0.5, corrected=0.5, request_id="")
        self.table.remember(arrival.program, arrival.conversation, Answer((reply,), response), place)
        self.table.finish(arrival.program, output_tokens=tokens)
        self.table.leave(arrival.program, time.monotonic())

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    @property
    def up(self) -> bool:
        return self.metric("chimera_shared_workflows_up") == 1

    async def told(self) -> None:
        """Return once the others can know all that this one does."""
        await until(lambda: self.shared.untold == 0)


def codec(picker: bytes, *, pool: str = "assistants", secret: bytes = SECRET) -> Codec:
    return Codec(Seal(secret, pool=pool), picker, lambda: time.time() - time.monotonic())


@asynccontextmanager
async def sharing(server: Server, codec: Codec, *, deadline: float = PATIENT) -> AsyncIterator[SharingTable]:
    """Share through a server until left."""
    registry = CollectorRegistry()
    metrics = SharingMetrics(registry)
    shared = RemoteWorkflows(server, codec, deadline=deadline, clock=time.monotonic, metrics=metrics)
    async with shared.running():
        yield SharingTable(shared, registry)


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it may be another process's
            await asyncio.sleep(0.005)


def program(id_: str = "w", **values: object) -> Program:
    return Program(tenant="", id=id_, ordinal=0, **values)  # type: ignore[arg-type]
