"""Run fuzz targets, each in a process of its own, and print how often each was run and what it found.

`make fuzz FUZZ_RUNS=100000` runs all of them so often; `python tests/support/fuzzing.py frames --seconds 600` one of
them for so long. A target is a module in `tests/fuzz/targets` with a function `run`, which raises where something is
wrong; its seeds are lines of hexadecimal digits in `tests/fuzz/corpus`. What is tried is guided by what it reaches
(atheris, libFuzzer).
"""

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
FUZZ = SUPPORT.parent / "fuzz"
TARGETS = {path.stem: path for path in sorted((FUZZ / "targets").glob("*.py"))}

LONGEST = 2048  # bytes of an input; most of them decide something each
HANG = 20  # seconds for one input; the slowest takes milliseconds
KEPT = 200  # seeds of a target at most: what a run on all of them finds is found from these in a moment

_EXECUTED = re.compile(r"number_of_executed_units: (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one target.

    Attributes:
        executions: How often it was run.
        seconds: How long that took.
        crash: The input that broke it, in hexadecimal digits; empty where none did.
        output: What was printed.
    """

    target: str
    executions: int
    seconds: float
    crash: str
    output: str

    def __str__(self) -> str:
        rate, found = self.executions / self.seconds, self.crash or "no crash"
        return f"{self.target:16} {self.executions:10,} {rate:10,.0f}/s {self.seconds:8.1f} s   {found}"


def load(target: Path) -> Callable[[bytes], None]:
    """Return a target's function."""
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{target.stem}", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run: Callable[[bytes], None] = module.run
    return run


def seeds(target: Path) -> list[bytes]:
    """Return a target's seeds."""
    path = _corpus(target)
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.exists() else []


def fuzz(target: Path, *, runs: int = -1, seconds: int = 0, keep: bool = False) -> Report:
    """Run a target so often, or without end, for so many seconds, or without end; keep what reaches something new."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, crashes = Path(folder) / "corpus", Path(folder) / "crashes"
        corpus.mkdir()
        crashes.mkdir()
        for seed in seeds(target):
            (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
        flags = {"runs": runs, "max_total_time": seconds, "max_len": LONGEST, "timeout": HANG, "print_final_stats": 1}
        argv = [f"-{name}={value}" for name, value in flags.items()] + [f"-artifact_prefix={crashes}/", str(corpus)]
        began = time.monotonic()
        returned, output = _run(target, argv)
        took = time.monotonic() - began
        if keep:
            _keep(target, corpus)
        executed = _EXECUTED.search(output)
        found = next((path.read_bytes().hex() for path in crashes.iterdir()), "it ended early" if returned else "")
    return Report(
        target=target.stem,
        executions=int(executed.group(1)) if executed else 0,
        seconds=took,
        crash=found,
        output=output,
    )


def _corpus(target: Path) -> Path:
    return FUZZ / "corpus" / f"{target.stem}.hex"


def _run(target: Path, argv: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(target), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def _keep(target: Path, corpus: Path) -> None:
    """Write the shortest of the inputs that reached something new, the seeds among them."""
    lines = sorted({path.read_bytes().hex() for path in corpus.iterdir()}, key=lambda line: (len(line), line))
    _corpus(target).write_text("".join(f"{line}\n" for line in lines[:KEPT]))


def _child(target: Path, argv: Sequence[str]) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris  # noqa: PLC0415 - the parent does without

    sys.path.insert(0, str(SUPPORT))
    with atheris.instrument_imports(include=["chimera_router"]):
        run = load(target)
    atheris.Setup([__file__, *argv], run)
    atheris.Fuzz()


def main() -> int:
    """Run the targets that are named, or all; return 1 if one of them broke."""
    if sys.argv[1:2] == ["--child"]:
        _child(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=-1, help="of each target; else as there is time for")
    parser.add_argument("--seconds", type=int, default=0, help="for each target at most")
    parser.add_argument("--keep", action="store_true", help="write what reaches something new to the corpus")
    told = parser.parse_args()
    reports = []
    for name in told.targets:
        reports.append(fuzz(TARGETS[name], runs=told.runs, seconds=told.seconds, keep=told.keep))
        sys.stdout.write(f"{reports[-1]}\n")
        sys.stdout.flush()
    broken = [report for report in reports if report.crash]
    sys.stdout.write("".join(report.output for report in broken))
    sys.stdout.write(f"{sum(report.executions for report in reports):,} executions, {len(broken)} targets broken\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
