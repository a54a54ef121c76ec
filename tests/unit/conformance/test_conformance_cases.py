"""The cases as a document: what others read before they run them."""

import re

import pytest

from chimera_conformance.case import DEFAULT, OPTIONAL, Case, Level, Profile, case, collect
from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.through import GATEWAY_CASES

ALL: tuple[Case[object], ...] = (*STREAM_CASES, *GATEWAY_CASES)


def test_names_are_unique() -> None:
    """A name says one case."""
    names = [each.name for each in ALL]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_case_is_told_in_one_sentence(each: Case[object]) -> None:
    """Every rule is one sentence, has a source, and a name of group and rule."""
    assert re.fullmatch(r"[^\n]+\.", each.rule)
    assert ". " not in each.rule
    assert each.source
    assert re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", each.name)


def test_every_profile_has_cases() -> None:
    """Each profile holds a MUST, and the optional ones are not run unless asked for."""
    binding = {each.profile for each in ALL if each.level is Level.MUST}

    assert binding == set(Profile)
    assert set(Profile) == DEFAULT | OPTIONAL
    assert not DEFAULT & OPTIONAL


async def _keeps_its_word(_picker: object) -> None: ...


_keeps_its_word.__doc__ = "The picker keeps\n    its word.\n"


def test_case_is_made_of_a_function() -> None:
    """The docstring becomes the rule, on one line; module and name become the case's name."""
    made = case(Level.MAY, Profile.CORE, "somewhere")(_keeps_its_word)

    assert made.rule == "The picker keeps its word."
    assert made.name == "test-conformance-cases.-keeps-its-word"
    assert (made.level, made.profile, made.source, made.alone) == (Level.MAY, Profile.CORE, "somewhere", False)


def test_cases_are_collected_in_order() -> None:
    """The cases of a module come in the order in which they stand in it."""
    from chimera_conformance.cases import subset  # noqa: PLC0415 - the module itself is the subject

    names = [each.name for each in collect([subset])]

    assert names[0] == "subset.binds"
    assert names[-1] == "subset.no-match-is-503"
