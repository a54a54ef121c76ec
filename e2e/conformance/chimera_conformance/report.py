"""What a run found: as a table, as JSON, as Markdown."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from chimera_conformance.case import Case, Level
from chimera_conformance.runner import Outcome
from chimera_conformance.verdicts import Verdict

_COLOUR = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.UNPROVED: "yellow", Verdict.SKIPPED: "dim"}
_ORDER = (Verdict.PASSED, Verdict.FAILED, Verdict.UNPROVED, Verdict.SKIPPED)


@dataclass(frozen=True, slots=True)
class Report:
    """One picker's outcomes.

    Attributes:
        picker: Its address, or the command line that started it.
        outcomes: In the cases' order.
    """

    picker: str
    outcomes: Sequence[Outcome]

    def broken(self, levels: Collection[Level]) -> list[Outcome]:
        """Return the outcomes of some levels that failed, or that nothing was seen of."""
        bad = {Verdict.FAILED, Verdict.UNPROVED}
        return [outcome for outcome in self.outcomes if outcome.verdict in bad and outcome.level in levels]

    @property
    def summary(self) -> str:
        """The count of each verdict by level, in one line."""
        counts = Counter((outcome.level, outcome.verdict) for outcome in self.outcomes)
        levels = (
            f"{level.value}: " + ", ".join(f"{counts[level, verdict]} {verdict.value}" for verdict in _ORDER)
            for level in Level
        )
        return "; ".join(levels)


def table(report: Report) -> Table:
    """Return a table for the terminal, a row for each case."""
    shown = Table(title=report.picker, caption=report.summary, box=box.SIMPLE_HEAD, title_justify="left")
    shown.add_column("case", no_wrap=True)
    shown.add_column("level")
    shown.add_column("verdict")
    shown.add_column("rule, and what came in its place", overflow="fold")
    for outcome in report.outcomes:
        colour = _COLOUR[outcome.verdict]
        shown.add_row(outcome.case, outcome.level.value, f"[{colour}]{outcome.verdict.value}[/]", _told(outcome))
    return shown


def catalogue(cases: Iterable[Case[Any]]) -> Table:
    """Return a table of the cases themselves."""
    shown = Table(box=box.SIMPLE_HEAD)
    for heading in ("case", "level", "profile", "rule", "source"):
        shown.add_column(heading, no_wrap=heading == "case", overflow="fold")
    for case in cases:
        shown.add_row(case.name, case.level.value, case.profile.value, case.rule, case.source)
    return shown


def as_json(reports: Sequence[Report]) -> str:
    """Return the reports for machines."""
    return json.dumps([{"picker": report.picker, "cases": list(map(_fields, report.outcomes))} for report in reports])


def as_markdown(reports: Sequence[Report]) -> str:
    """Return the reports for a file that is committed: without times, so that it changes only where verdicts do."""
    lines = ["# Conformance to the endpoint picker protocol", ""]
    for report in reports:
        lines += [f"## `{report.picker}`", "", f"{report.summary}.", ""]
        lines += [
            "| case | level | verdict | rule, and what came in its place | source |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [_row(outcome) for outcome in report.outcomes]
        lines.append("")
    return "\n".join(lines)


def _told(outcome: Outcome) -> str:
    from_where = f" ({outcome.source})" if outcome.verdict is Verdict.FAILED else ""
    return (outcome.sentence + from_where).replace("[", "\\[")


def _fields(outcome: Outcome) -> dict[str, object]:
    return {
        "case": outcome.case,
        "level": outcome.level.value,
        "profile": outcome.profile.value,
        "verdict": outcome.verdict.value,
        "rule": outcome.rule,
        "came": outcome.came,
        "source": outcome.source,
        "seconds": round(outcome.seconds, 3),
    }


def _row(outcome: Outcome) -> str:
    cells = (outcome.case, outcome.level.value, outcome.verdict.value, outcome.sentence, outcome.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
