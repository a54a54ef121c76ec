"""Print how the engine simulator meets what is known: `python -m chimera_bench.validation`."""

import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from chimera_bench.validation.check import Check
from chimera_bench.validation.published import published_checks
from chimera_bench.validation.queues import queue_checks

WIDTH = 110


def main() -> int:
    """Run every check; return the exit status: 1 where one does not hold."""
    checks = [*published_checks(), *queue_checks()]
    Console(width=WIDTH).print(table(checks))
    return int(not all(check.holds for check in checks))


def table(checks: Iterable[Check]) -> Table:
    """Return the checks as a table."""
    result = Table(title="The engine simulator beside what is known", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("case", "figure"):
        result.add_column(heading, no_wrap=True)
    for heading in ("known", "simulated", "off", "allowed", "holds"):
        result.add_column(heading, justify="right", no_wrap=True)
    for check in checks:
        result.add_row(
            check.case,
            check.figure,
            f"{check.known:.4g}",
            f"{check.simulated:.4g}",
            f"{check.off:+.1%}",
            f"±{check.tolerance:.0%}",
            "yes" if check.holds else "no",
        )
    return result


if __name__ == "__main__":
    sys.exit(main())
