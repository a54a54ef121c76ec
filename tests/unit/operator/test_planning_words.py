"""The words of status: each is explained where people look for it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from chimera_operator import planning
from chimera_operator.planning.causes.cause import Reason

ROOT = Path(__file__).resolve().parents[3]
SOURCES = Path(planning.__file__).parent
EXPLAINED = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "status.md").read_text()))


def words() -> Iterator[str]:
    """Yield every reason that status modules give, as written in them."""
    for path in (*sorted((SOURCES / "status").glob("*.py")), SOURCES / "refusal.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.keyword(arg="reason" | "calm", value=ast.Constant(value=str(word))):
                    yield word
                case ast.Call(func=ast.Name(id="Problem"), args=[ast.Constant(value=str(word)), *_]):
                    yield word
                case ast.Call(func=ast.Name(id="_normal"), args=[_, ast.Constant(value=str(word)), *_]):
                    yield word
                case ast.Yield(value=ast.Tuple(elts=[ast.Constant(value=str(word)), *_])):
                    yield word


def test_every_reason_of_a_condition_or_event_is_explained() -> None:
    """Found in the source, as a new one would be."""
    found = set(words())

    assert len(found) > 20
    assert found <= EXPLAINED


def test_every_failure_is_explained() -> None:
    """With what helps."""
    assert {reason.value for reason in Reason} <= EXPLAINED
