"""Workflows in the server's terms: sealed MessagePack at names that are digests.

What is read was written by a picker of the same pool, or it does not open: so it is checked for its shape alone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from chimera_router.sharing.sealing import Seal
from chimera_router.sharing.server import Answer, Change, Question
from chimera_router.workflow.conversation import request_key
from chimera_router.workflow.parts import Part, own
from chimera_router.workflow.program import Program
from chimera_router.workflow.recall import Lookup, Sighting, sighted

VERSION = 1
"""In every name on the server. A format, or a way to make digests, that pickers of the last version do not know gets a
new one: while a pool's pickers are replaced, old and new ones share among themselves."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Part)


@dataclass(frozen=True, slots=True)
class Codec:
    """Puts one picker's workflows into the server's terms, and what other pickers have put there into its own.

    Attributes:
        seal: The pool's.
        picker: What tells this picker's parts from others'.
        ahead: Returns the seconds by which the Unix clock, which pickers have in common, is ahead of this one's.
    """

    seal: Seal
    picker: bytes
    ahead: Callable[[], float]

    def change(self, program: Program, keys: Iterable[bytes]) -> Change:
        """Return what has become of a workflow; `keys` are digests that lead to it."""
        workflow = self.seal.workflow(program.tenant, program.id)
        part = own(program)
        value = _ENCODER.encode(replace(part, asked=part.asked + self.ahead()))
        named = (request_key(program.tenant, program.request_id),) if program.request_id else ()
        return Change(
            workflow=workflow,
            part=self.seal.seal(value, workflow + self.picker),
            digests=tuple(self.seal.digest(key) for key in (*keys, *named)),
        )

    def question(self, lookup: Lookup) -> Question:
        """Return what is to be asked."""
        return Question(
            workflow=self.seal.workflow(lookup.tenant, lookup.id) if lookup.id else None,
            digests=tuple(self.seal.digest(key) for key in lookup.keys),
        )

    def sightings(self, lookup: Lookup, answer: Answer) -> tuple[Sighting, ...]:
        """Return the workflows that other pickers know, those of this tenant alone, whatever the server says."""
        others = {name: tuple(self._others(lookup.tenant, name, sealed)) for name, sealed in answer.parts.items()}
        return sighted(lookup, answer.holders, others)

    def _others(self, tenant: str, workflow: bytes, sealed: Mapping[bytes, bytes]) -> Iterable[Part]:
        for picker, data in sealed.items():
            value = self.seal.opened(data, workflow + picker) if picker != self.picker else None
            part = None if value is None else _decoded(value)
            if part is not None and self.seal.workflow(tenant, part.id) == workflow:
                yield replace(part, asked=part.asked - self.ahead())


def _decoded(value: bytes) -> Part | None:
    try:
        return _DECODER.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
