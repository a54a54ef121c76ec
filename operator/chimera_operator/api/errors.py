"""A broken rule in one line: the path in the document, then the rule."""

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chimera_operator.api.scalars import PATTERN_RULES

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")  # others are quoted, so that a strange key stays on the line


class PoolError(Exception):
    """A pool document breaks a rule.

    Args:
        path: Where in the document, such as `spec.models[1].name`.
        rule: What is expected there.
    """

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


def first_broken_rule(error: ValidationError, document: type[BaseModel]) -> PoolError:
    """Return the error a person should mend first: a mistyped key before what its absence causes.

    Args:
        error: What pydantic found.
        document: The type that was validated, for the keys it knows.
    """
    worst = min(error.errors(include_input=False, include_url=False), key=_rank)
    path = _dotted(worst["loc"]) + _below(worst)
    return PoolError(path.removeprefix(".") or "document", _rule(worst, document))


def _rank(error: ErrorDetails) -> int:
    """Order kinds of errors: pydantic calls a list too short when its members fail, so that comes last."""
    return {"extra_forbidden": 0, "too_short": 2}.get(error["type"], 1)


def _dotted(location: Sequence[str | int]) -> str:
    return "".join(f".{step}" if _PLAIN_KEY.fullmatch(str(step)) else f"[{json.dumps(step)}]" for step in location)


def _below(error: ErrorDetails) -> str:
    at = error.get("ctx", {}).get("at", "")
    return at if not at or at.startswith("[") else f".{at}"


def _rule(error: ErrorDetails, document: type[BaseModel]) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return "unknown key" + _suggestion(error["loc"], document)
        case "missing":
            return "is required"
        case "too_short":
            return f"must hold at least {context['min_length']}"
        case "too_long":
            return f"must hold at most {context['max_length']}"
        case "string_pattern_mismatch":
            return PATTERN_RULES[context["pattern"]]
        case _:
            return error["msg"].replace("Input should", "must").replace("String should", "must")


def _suggestion(location: Sequence[str | int], document: type[BaseModel]) -> str:
    *parents, key = location
    near = get_close_matches(str(key), _known_keys(parents, document), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _known_keys(location: Iterable[str | int], document: type[BaseModel]) -> list[str]:
    for step in location:
        if isinstance(step, str):
            field = next(field for field in document.model_fields.values() if field.alias == step)
            document = _document_in(field.annotation)
    return [str(field.alias) for field in document.model_fields.values()]


def _document_in(annotation: Any) -> type[BaseModel]:
    """Return the document type inside an annotation such as `tuple[ModelSpec, ...]` or `Source | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(kind for kind in map(_document_in, get_args(annotation)) if kind)
