"""The workflows in memory, bounded by count, by age and by tenant."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from chimera_router.workflow.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLimits:
    """Bounds on memory.

    Attributes:
        programs: Workflows kept; about 4 KB each after four stages, 10 KB at most.
        per_tenant: Workflows of one tenant, so that nobody's flood pushes out the others'.
        ttl: Seconds without a request after which a workflow is over; agents wait minutes for tools and people.
    """

    programs: int = 50_000
    per_tenant: int = 20_000
    ttl: float = 1800.0


@dataclass(slots=True)
class ProgramStore:
    """Workflows by tenant and id; the ones untouched for longest go first, in a time that does not grow with them.

    Attributes:
        on_drop: Called with each workflow that is dropped.
    """

    limits: TableLimits
    on_drop: Callable[[Program], None]
    _programs: OrderedDict[tuple[str, str], Program] = field(default_factory=OrderedDict)
    _tenants: dict[str, OrderedDict[str, Program]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._programs)

    def __contains__(self, program: Program) -> bool:
        return self._programs.get((program.tenant, program.id)) is program

    def get(self, tenant: str, program_id: str) -> Program | None:
        """Return a tenant's workflow, if it is known."""
        return self._programs.get((tenant, program_id))

    def add(self, program: Program) -> None:
        """Keep a workflow, and drop what passes the limits by it."""
        own = self._tenants.get(program.tenant)
        if own is None:
            own = self._tenants[program.tenant] = OrderedDict()
        own[program.id] = self._programs[program.tenant, program.id] = program
        if len(own) > self.limits.per_tenant:
            self._drop(next(iter(own.values())))
        while len(self._programs) > self.limits.programs:
            self._drop(next(iter(self._programs.values())))

    def touch(self, program: Program, now: float) -> None:
        """Renew a workflow's life; one that was dropped stays so."""
        program.touched = now
        if program in self:
            self._programs.move_to_end((program.tenant, program.id))
            self._tenants[program.tenant].move_to_end(program.id)

    def expire(self, now: float) -> None:
        """Drop what nobody has touched for the time to live."""
        while self._programs:
            oldest = next(iter(self._programs.values()))
            if now - oldest.touched <= self.limits.ttl:
                return
            self._drop(oldest)

    def _drop(self, program: Program) -> None:
        own = self._tenants[program.tenant]
        del self._programs[program.tenant, program.id], own[program.id]
        if not own:
            del self._tenants[program.tenant]
        self.on_drop(program)
