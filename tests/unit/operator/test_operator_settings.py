"""The operator's command line."""

import pytest
from operators import settings

from chimera_operator.settings import parse


def test_what_is_not_given_has_a_default() -> None:
    """All namespaces, no credentials but the pod's, no token for pickers."""
    told = settings()

    assert (told.namespaces, told.kubeconfig, told.status_account) == ((), None, "")
    assert told.management_port == 9090
    assert told.resync == 600.0


def test_flags_that_come_again_add_up() -> None:
    """Namespaces and labels."""
    told = settings("--namespace=a", "--namespace=b", "--operator-label=app=chimera", "--operator-label=part=")

    assert told.namespaces == ("a", "b")
    assert told.operator_labels == {"app": "chimera", "part": ""}


def test_two_processes_are_two_candidates() -> None:
    """Also where they run on one machine."""
    assert settings().identity != settings().identity


@pytest.mark.parametrize(
    ("argv", "rule"),
    [
        ((), "--picker-image"),
        (("--resync=0",), "must be above 0"),
        (("--resync=nan",), "must be above 0"),
        (("--operator-label=app",), "must be KEY=VALUE"),
        (("--operator-label==x",), "must be KEY=VALUE"),
        (("--log-level=loud",), "invalid choice"),
    ],
)
def test_what_breaks_a_rule_is_told(argv: tuple[str, ...], rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The process ends with status 2 and a line that names the rule."""
    with pytest.raises(SystemExit) as ended:
        _ = settings(*argv) if argv else parse([])

    assert ended.value.code == 2
    assert rule in capsys.readouterr().err


def test_help_says_what_flags_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that decide about rights above all."""
    with pytest.raises(SystemExit):
        parse(["--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert "everywhere where not given, which needs a ClusterRole" in text
    assert "without it no pool scales by its load" in text
