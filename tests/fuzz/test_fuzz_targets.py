"""Every fuzz target holds on its seeds, and for a moment of a fuzzer's own choices."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzzing import TARGETS, fuzz, load, seeds

needs_atheris = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not to be had for this Python")


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_hold(target: str) -> None:
    """What once reached something new, or broke something, breaks nothing."""
    run, known = load(TARGETS[target]), seeds(TARGETS[target])
    for seed in (b"", *known):
        run(seed)

    assert known


@needs_atheris
@pytest.mark.parametrize("target", TARGETS)
def test_fuzzer_finds_nothing_in_a_moment(target: str) -> None:
    """From the seeds on."""
    report = fuzz(TARGETS[target], seconds=2)

    assert not report.crash, report.output
    assert report.executions > len(seeds(TARGETS[target]))


@needs_atheris
def test_fuzzer_finds_what_is_wrong(tmp_path: Path) -> None:
    """A target that breaks is reported with the input that broke it."""
    target = tmp_path / "wrong.py"
    target.write_text("def run(data):\n    assert data[:1] != b'x'\n")

    report = fuzz(target, seconds=20)

    assert bytes.fromhex(report.crash)[:1] == b"x"
