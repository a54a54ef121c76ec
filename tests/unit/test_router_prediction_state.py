import json
from pathlib import Path

import pytest

from chimera_router.errors import StateError
from chimera_router.prediction import state
from chimera_router.prediction.applications import APPLICATIONS, CAP, TENANTS
from chimera_router.prediction.correction import CONFIDENCE, LENGTH, Corrections
from chimera_router.prediction.port import Judgement, Observation


def learned() -> Corrections:
    corrections = Corrections()
    for number in range(20):
        corrections.observe(
            Observation(
                model="m",
                stage=0,
                output_tokens=300,
                predicted_tokens=100.0,
                tenant=f"t{number % 2}",
                at=1_767_225_600.0 + number,
            )
        )
        corrections.judge(Judgement(model="m", confidence=0.5, success=number % 3 / 2, tenant="t0", at=1_767_225_600.0))
        corrections.observe(
            Observation(
                model="m",
                stage=0,
                output_tokens=900,
                predicted_tokens=100.0,
                fingerprint=f"f{number % 3}",
                tenant=f"t{number % 2}",
            )
        )
    return corrections


def test_what_was_learned_survives(tmp_path: Path) -> None:
    """A new process starts from the same corrections, and goes on from them alike."""
    before = learned()
    state.write(tmp_path / "new", state.encode(before))

    after = state.load(tmp_path / "new")

    assert list(after) == list(before)
    assert after.by_model == before.by_model
    assert after.applications == before.applications
    assert len(after.applications) == 6


def test_the_first_start_has_learned_nothing(tmp_path: Path) -> None:
    """A folder without the file is no error."""
    assert list(state.load(tmp_path)) == []


def test_writing_leaves_one_file(tmp_path: Path) -> None:
    """The file is replaced, and nothing half written stays."""
    for corrections in (learned(), Corrections()):
        state.write(tmp_path, state.encode(corrections))

    assert [path.name for path in tmp_path.iterdir()] == [state.FILE]
    assert list(state.load(tmp_path)) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The refusal names the file."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StateError, match=r"file/corrections\.json: cannot be written"):
        state.write(tmp_path / "file", b"{}")


def row(**changes: object) -> dict[str, object]:
    return {"weight": 1.0, "expected": 0.5, "seen": 0.5, "at": 0.0, **changes}


def document(length: object = None, confidence: object = None, **changes: object) -> bytes:
    model = {"length": {"t": length or row()}, "confidence": {"t": confidence or row()}}
    return json.dumps({"version": 1, "models": {"m": model}, **changes}).encode()


def test_the_document_of_the_other_tests_is_a_state() -> None:
    """What they break is the one thing that each of them names."""
    assert [name for name, _, _ in state.decode(document())] == ["m"]


def test_a_state_from_before_applications_were_learned_is_read() -> None:
    """It has learned none."""
    assert len(state.decode(document()).applications) == 0


def application(**changes: object) -> dict[str, object]:
    mean = {"weight": 1.0, "mean": 0.5}
    return {"t": {"f": {"level": mean, "effects": {"m": mean}, **changes}}}


def test_an_edited_file_cannot_pass_the_bounds_of_applications() -> None:
    """Neither a mean's weight, nor how many are kept of a tenant and of how many tenants."""
    mean = {"weight": 1e12, "mean": 30.0}
    heavy = {"level": mean, "effects": {"m": mean}}
    many = {str(tenant): {str(number): heavy for number in range(100)} for tenant in range(100)}

    found = state.decode(document(applications=many)).applications

    assert (len(found.by_tenant), len(found)) == (TENANTS, TENANTS * APPLICATIONS)
    assert found.by_tenant["99"]["99"].level.weight == CAP
    assert found.by_tenant["99"]["99"].factor("m") == pytest.approx(16.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        document(models=[]),
        document(more=1),
        document(length=row(weight=-1.0)),
        document(length=row(seen=1e9)),
        document(length=row(more=1)),
        document(confidence=row(seen=1.5)),
        document(confidence=row(at="yesterday")),
        document(applications=[]),
        document(applications=application(level={"weight": -1.0, "mean": 0.5})),
        document(applications=application(level={"weight": 1.0, "mean": 1e9})),
        document(applications=application(effects={"m": 1.0})),
        document(applications=application(more=1)),
    ],
)
def test_a_file_that_is_no_state_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    """Cut off, of another kind, or with a number out of its range."""
    (tmp_path / state.FILE).write_bytes(data)

    with pytest.raises(StateError, match=r"corrections\.json: is no state of online correction"):
        state.load(tmp_path)


def test_another_version_is_refused_by_both_versions(tmp_path: Path) -> None:
    """Whatever else the file has in it."""
    (tmp_path / state.FILE).write_bytes(b'{"version": 7, "news": true}')

    with pytest.raises(StateError, match=r"corrections\.json: is of version 7, this picker reads version 1"):
        state.load(tmp_path)


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """What cannot be read is refused, not a crash."""
    (tmp_path / state.FILE).mkdir()

    with pytest.raises(StateError, match="cannot be read"):
        state.load(tmp_path)


def test_an_edited_file_cannot_pass_the_bounds() -> None:
    """Weights and corrections are bounded as if they had been learned."""
    wild = state.decode(document(row(weight=1e12, expected=0.0, seen=20.0), row(weight=1e12, expected=0.0, seen=1.0)))

    model = wild.by_model["m"]
    assert (model.length.value, model.confidence.value) == (LENGTH.limit, CONFIDENCE.limit)
    assert model.length.tenants["t"].weight == LENGTH.cap
