import msgspec
import pytest

from chimera_router.scheduling.types import Assignment
from chimera_router.sharing.codec import Codec
from chimera_router.sharing.sealing import Seal
from chimera_router.sharing.server import Answer
from chimera_router.workflow.program import Choice, Program, Untold
from chimera_router.workflow.recall import Lookup

SEAL = Seal(b"0123456789abcdef", pool="assistants")
WRITER, READER = Codec(SEAL, b"a", lambda: 100.0), Codec(SEAL, b"b", lambda: 40.0)
ASKED = Lookup(tenant="acme", id="w")
NAME = SEAL.workflow("acme", "w")
PLACE = Assignment(model="large", endpoint="10.0.0.1:80", seen_tokens=5)


def told(value: object) -> Answer:
    """Return the answer of a server where a picker has put this."""
    data = value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
    return Answer([], {NAME: {b"a": SEAL.seal(data, NAME + b"a")}})


def test_all_that_is_shared_arrives() -> None:
    """And times are those of the reader's own clock."""
    program = Program(
        tenant="acme",
        id="w",
        ordinal=7,
        stage=2,
        tokens=30,
        last_tokens=10,
        largest_tokens=20,
        assignment=PLACE,
        digest=b"digest",
        answered=True,
        latest=(b"reply",),
        responses={b"response": PLACE},
        request_id="r-1",
        choice=Choice("large", 0.8, 0.9),
        judged=True,
        untold=Untold(model="large", stage=2, predicted_tokens=9.0, fingerprint="f"),
        asked=5.0,
    )
    change = WRITER.change(program, (b"key",))

    (sighting,) = READER.sightings(ASKED, Answer([], {NAME: {b"a": change.part}}))

    part = sighting.part
    assert (part.id, part.stages, part.tokens, part.last_tokens, part.largest_tokens) == ("w", 3, 30, 10, 20)
    assert (part.assignment, part.choice, part.responses) == (PLACE, program.choice, program.responses)
    assert (part.digest, part.answered, part.latest) == (b"digest", True, (b"reply",))
    assert (part.request_id, part.judged, part.untold, part.asked) == ("r-1", True, program.untold, 65.0)
    assert (change.workflow, len(change.digests)) == (NAME, 2)  # the key, and the request's id


@pytest.mark.parametrize("value", [b"", b"\xc1", b"canary", [], {"id": 3, "asked": 1.0}, {"id": "w"}, {"asked": 1.0}])
def test_what_has_no_part_in_it_is_not_read(value: object) -> None:
    """Though a picker of the pool has sealed it: another version may have."""
    assert READER.sightings(ASKED, told(value)) == ()


def test_fields_of_a_later_version_are_passed_over() -> None:
    """And those that an earlier one did not have take their defaults."""
    (sighting,) = READER.sightings(ASKED, told({"id": "w", "asked": 41.0, "tokens": 30, "mood": "good"}))

    assert (sighting.part.tokens, sighting.part.stages, sighting.part.asked) == (30, 0, 1.0)
