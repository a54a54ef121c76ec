"""Run fuzz targets, each in a process of its own, and print how often each was run and what it found.

`make fuzz FUZZ_RUNS=100000` runs all of them so often; `python tests/fuzz/fuzz.py frames --seconds 600` one of them for
so long. A target is a module in `targets/` with a function `run`, which raises where something is wrong; its seeds are
lines of hexadecimal digits in `corpus/`. Coverage guides what is tried (atheris, libFuzzer).
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

HERE = Path(__file__).resolve().parent
TARGETS = tuple(sorted(path.stem for path in (HERE / "targets").glob("*.py")))

LONGEST = 2048  # bytes of an input; what is decided by a byte each is long enough with these
HANG = 20  # seconds for one input; the slowest takes milliseconds

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
        rate = self.executions / self.seconds
        return (
            f"{self.target:16} {self.executions:10,} {rate:10,.0f}/s {self.seconds:8.1f} s   {self.crash or 'no crash'}"
        )


def load(target: str) -> Callable[[bytes], None]:
    """Return a target's function."""
    path = HERE / "targets" / f"{target}.py"
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{target}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run: Callable[[bytes], None] = module.run
    return run


def seeds(target: str) -> list[bytes]:
    """Return a target's seeds."""
    path = HERE / "corpus" / f"{target}.hex"
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.exists() else []


def fuzz(target: str, *, runs: int, seconds: int, keep: bool = False) -> Report:
    """Run a target so often, and no longer than so many seconds where that is not 0; keep inputs of new coverage."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, crashes = Path(folder) / "corpus", Path(folder) / "crashes"
        for each in (corpus, crashes):
            each.mkdir()
        for seed in seeds(target):
            (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
        flags = {"runs": runs, "max_total_time": seconds, "max_len": LONGEST, "timeout": HANG, "print_final_stats": 1}
        argv = [f"-{name}={value}" for name, value in flags.items()] + [f"-artifact_prefix={crashes}/", str(corpus)]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, __file__, "--child", target, *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        took = time.monotonic() - began
        if keep:
            _keep(target, corpus)
        found = _EXECUTED.search(done.stdout)
        crash = next((path.read_bytes().hex() for path in crashes.iterdir()), "ended early" if done.returncode else "")
        executions = int(found.group(1)) if found else 0
        return Report(target=target, executions=executions, seconds=took, crash=crash, output=done.stdout)


def _keep(target: str, corpus: Path) -> None:
    """Write the inputs that reached something new beside the seeds; libFuzzer has thrown out what others reach too."""
    lines = sorted({path.read_bytes().hex() for path in corpus.iterdir()}, key=lambda line: (len(line), line))
    (HERE / "corpus" / f"{target}.hex").write_text("".join(f"{line}\n" for line in lines))


def _child(target: str, argv: Sequence[str]) -> None:
    """Fuzz in this process."""
    import atheris  # noqa: PLC0415 - the parent does without

    sys.path.insert(0, str(HERE.parent / "support"))
    with atheris.instrument_imports(include=["chimera_router"]):
        run = load(target)
    atheris.Setup([__file__, *argv], run)
    atheris.Fuzz()


def main() -> int:
    """Run the targets that are named, or all; return 1 if one of them broke."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=-1, help="of each target; else as there is time for")
    parser.add_argument("--seconds", type=int, default=0, help="for each target at most")
    parser.add_argument("--keep", action="store_true", help="write what reaches something new to the corpus")
    told = parser.parse_args()
    broken = 0
    for target in told.targets:
        report = fuzz(target, runs=told.runs, seconds=told.seconds, keep=told.keep)
        sys.stdout.write(f"{report}\n")
        sys.stdout.flush()
        if report.crash:
            broken = 1
            sys.stdout.write(report.output)
    return broken


if __name__ == "__main__":
    sys.exit(main())
