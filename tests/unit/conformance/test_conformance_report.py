"""What a run found, told to people and to machines."""

import io
import json

import pytest
from rich.console import Console

from chimera_conformance.case import Level, Profile
from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.report import Report, as_json, as_markdown, catalogue, table
from chimera_conformance.runner import Outcome
from chimera_conformance.verdicts import Verdict


def outcome(name: str, level: Level, verdict: Verdict, came: str = "") -> Outcome:
    return Outcome(
        case=name,
        rule="The rule holds.",
        source="its source",
        level=level,
        profile=Profile.CORE,
        verdict=verdict,
        came=came,
        seconds=0.25,
    )


@pytest.fixture
def report() -> Report:
    return Report(
        "picker --port {port}",
        [
            outcome("a.passed", Level.MUST, Verdict.PASSED),
            outcome("a.failed", Level.MUST, Verdict.FAILED, "[::1]:80 | came"),
            outcome("a.unproved", Level.MUST, Verdict.UNPROVED, "nothing came"),
            outcome("b.failed", Level.SHOULD, Verdict.FAILED, "it was 7"),
            outcome("b.skipped", Level.MAY, Verdict.SKIPPED, "not here"),
        ],
    )


def printed(shown: object) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(shown)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_table_has_a_line_for_each_case(report: Report) -> None:
    """Verdict and sentence stand beside each case; one that failed says where its rule is written."""
    text = " ".join(printed(table(report)).split())

    assert "a.passed MUST passed The rule holds." in text
    assert "a.failed MUST failed The rule holds. [::1]:80 | came. (its source)" in text
    assert "picker --port {port}" in text


def test_summary_counts_by_level(report: Report) -> None:
    """The last line counts each verdict of each level."""
    assert report.summary == (
        "MUST: 1 passed, 1 failed, 1 unproved, 0 skipped; SHOULD: 0 passed, 1 failed, 0 unproved, 0 skipped; "
        "MAY: 0 passed, 0 failed, 0 unproved, 1 skipped"
    )


def test_broken_are_those_that_failed_or_showed_nothing(report: Report) -> None:
    """What fails a run is asked for by level."""
    assert [each.case for each in report.broken({Level.MUST})] == ["a.failed", "a.unproved"]
    assert [each.case for each in report.broken({Level.SHOULD})] == ["b.failed"]


def test_json_holds_all(report: Report) -> None:
    """Machines get each picker with its cases, verdicts and times."""
    (read,) = json.loads(as_json([report]))

    assert read["picker"] == "picker --port {port}"
    assert read["cases"][1] == {
        "case": "a.failed",
        "level": "MUST",
        "profile": "core",
        "verdict": "failed",
        "rule": "The rule holds.",
        "came": "[::1]:80 | came",
        "source": "its source",
        "seconds": 0.25,
    }


def test_markdown_changes_only_with_verdicts(report: Report) -> None:
    """The report to commit is a table that holds no times, and whose cells cannot break it."""
    text = as_markdown([report])

    assert "| a.failed | MUST | failed | The rule holds. [::1]:80 \\| came. | its source |" in text
    assert "0.25" not in text


def test_catalogue_tells_every_case() -> None:
    """All cases are told with level, profile, rule and source."""
    text = printed(catalogue(STREAM_CASES))

    assert all(case.name in text for case in STREAM_CASES)
