"""What every part of the resource shares: strict, frozen, camelCase, and rules that are stated once for both readers.

A document is read twice: by the API server, which knows the schema and CEL, and by this package. `rule` keeps the two
forms of a rule beside each other, under one sentence.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule over several fields.

    Attributes:
        sentence: What is expected, in words.
        cel: An expression of the API server's, true where the rule is kept.
        at: Path of the field to blame, below the document; empty for the document itself.
    """

    sentence: str
    cel: str
    at: str = ""


class Breach(NamedTuple):
    """Where a rule is broken: a path below the document and a sentence, either as the rule has it where empty."""

    at: str = ""
    sentence: str = ""


class Document(BaseModel):
    """A part of the resource: strict as the API server is, and never changed once read."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    server_rules: ClassVar[tuple[Rule, ...]] = ()
    """Rules that only the API server can check, or only has to."""

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        """Return the rules over fields of this document."""
        checks = (decorator.func for decorator in cls.__pydantic_decorators__.model_validators.values())
        return (*cls.server_rules, *(check.rule for check in checks if hasattr(check, "rule")))

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if rules := cls.rules():
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
        return schema


class Observed(Document):
    """A part of a status: built by this package, read back by whatever version of it comes next.

    What a newer operator wrote beside it does not keep this one from reading it.
    """

    model_config = ConfigDict(extra="ignore", validate_by_name=True, validate_by_alias=True)


def rule(sentence: str, *, cel: str, at: str = "") -> Callable[[Callable[[Any], Iterator[Breach]]], Any]:
    """Make a method a rule: it yields the breaches, and the API server says the same in CEL.

    Args:
        sentence: What is expected, in words; both readers say it.
        cel: The rule for the API server; `self` is the document.
        at: Path of the field to blame, below the document.
    """

    def decorate(breaches: Callable[[Any], Iterator[Breach]]) -> Any:
        def check(document: Any) -> Any:
            if breach := next(breaches(document), None):
                raise broken_rule(breach.sentence or sentence, at=breach.at or at)
            return document

        check.rule = Rule(sentence=sentence, cel=cel, at=at)  # type: ignore[attr-defined]
        return model_validator(mode="after")(check)

    return decorate


def broken_rule(sentence: str, *, at: str = "") -> PydanticCustomError:
    """Return the error of a broken rule.

    Args:
        sentence: What is expected, in words.
        at: Path of the offending field, below the document whose validator raises.
    """
    return PydanticCustomError("broken_rule", "{rule}", {"rule": sentence, "at": at})


class OneOf(Document):
    """Fields of which exactly one must be given."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for _, value in self) != 1:
            raise broken_rule(self._sentence())
        return self

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        """Return the rules, that one among them."""
        one = Rule(sentence=cls._sentence(), cel=f"{given(*cls._choices())} == 1")
        return (one, *super().rules())

    @classmethod
    def _sentence(cls) -> str:
        return f"must give exactly one of {', '.join(cls._choices())}"

    @classmethod
    def _choices(cls) -> list[str]:
        return [str(field.alias) for field in cls.model_fields.values()]


def given(*fields: str) -> str:
    """Return in CEL how many of the fields are given."""
    return f"[{', '.join(f'has(self.{field})' for field in fields)}].filter(given, given).size()"


def _validation(rule: Rule) -> dict[str, str]:
    place = {"fieldPath": f".{rule.at}"} if rule.at else {}
    return {"rule": rule.cel, "message": rule.sentence, **place}
