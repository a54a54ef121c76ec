"""Applications are found by what their requests share, and what is learned of them stays within its bounds."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_router import wire
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, ParsedRequest, parse
from chimera_router.prediction.applications import APPLICATIONS, LIMIT, TENANTS, Applications
from chimera_router.workflow.identity import PREAMBLE_CHARACTERS, fingerprint

TEXT = st.text(max_size=30)
WORDS = st.text("abc", min_size=1, max_size=8)
SAID = st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), TEXT), min_size=1, max_size=6)
NAMES = st.lists(WORDS, unique=True, max_size=5)


def request(system: str, said: list[tuple[str, str]], tools: list[str] | None = None) -> ParsedRequest:
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": role, "content": text} for role, text in said]
    described = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in tools or []]
    body = {"model": "auto", "messages": messages, "tools": described}
    return parse(Api.CHAT, json.dumps(body).encode(), Limits())


def first(text: str) -> list[tuple[str, str]]:
    return [("user", text)]


@given(WORDS, SAID, SAID, NAMES)
def test_a_fingerprint_is_the_same_whatever_was_said(
    system: str, one: list[tuple[str, str]], other: list[tuple[str, str]], tools: list[str]
) -> None:
    """Later stages and other tasks of an application are that application's."""
    assert fingerprint(request(system, one, tools), {}) == fingerprint(request(system, other, tools), {})


@given(WORDS, NAMES, st.randoms())
def test_the_order_of_tools_does_not_matter(system: str, tools: list[str], random: object) -> None:
    """Clients list them as they come."""
    shuffled = list(tools)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert fingerprint(request(system, first("x"), shuffled), {}) == fingerprint(request(system, first("x"), tools), {})


@given(WORDS, NAMES, st.text("xyz", max_size=5), st.text("xyz", max_size=5))
def test_tenants_never_share_one(system: str, tools: list[str], one: str, other: str) -> None:
    """The same preamble and tools have as many fingerprints as tenants, by name too."""
    asked = request(system, first("x"), tools)
    for named in ({}, {wire.APPLICATION: "tickets"}):
        found = [fingerprint(asked, {wire.TENANT: tenant, **named}) for tenant in (one, other)]

        assert (found[0] == found[1]) == (one == other)


@given(WORDS, WORDS, NAMES, NAMES)
def test_other_preambles_and_tools_are_other_applications(
    system: str, another: str, tools: list[str], others: list[str]
) -> None:
    """Either tells two apart."""
    same = system == another and sorted(tools) == sorted(others)

    found = [fingerprint(request(*each), {}) for each in ((system, first("x"), tools), (another, first("x"), others))]

    assert (found[0] == found[1]) == same


@given(WORDS, TEXT, TEXT)
def test_what_a_long_preamble_ends_in_does_not_matter(start: str, one: str, other: str) -> None:
    """Dates and retrieved passages come last."""
    long = start * PREAMBLE_CHARACTERS

    assert fingerprint(request(long + one, first("x")), {}) == fingerprint(request(long + other, first("x")), {})


@given(WORDS, WORDS, NAMES)
def test_a_name_wins(system: str, another: str, tools: list[str]) -> None:
    """An application that says its name is known by it, whatever its preamble."""
    named = {wire.APPLICATION: "tickets"}

    one, other = request(system, first("x"), tools), request(another, first("y"))

    assert fingerprint(one, named) == fingerprint(other, named) != fingerprint(other, {})


@given(SAID)
def test_without_preamble_tools_and_name_there_is_no_application(said: list[tuple[str, str]]) -> None:
    """Nothing is made of what users write."""
    assert not fingerprint(request("", said), {})


MISSED = st.one_of(st.floats(-3.0, 3.0), st.floats(-1e9, 1e9))
OBSERVED = st.tuples(st.sampled_from("tu"), st.sampled_from("fg"), st.sampled_from(["small", "large"]), MISSED)


@given(st.lists(OBSERVED, max_size=80))
def test_factors_are_bounded(observed: list[tuple[str, str, str, float]]) -> None:
    """Whatever is observed: between a sixteenth and sixteen."""
    applications = Applications()
    for tenant, found, model, missed in observed:
        applications.observe(tenant=tenant, fingerprint=found, model=model, missed=missed)

    for tenant in "tu":
        for found in "fg":
            factors = applications.factors(tenant=tenant, fingerprint=found, models=["small", "large"]) or [1.0]
            assert all(abs(math.log(each)) <= LIMIT + 1e-9 for each in factors)


@given(MISSED, st.lists(MISSED, max_size=40))
def test_one_answer_moves_little(missed: float, later: list[float]) -> None:
    """However long it is, the first moves a prediction by 7 % at most; later ones never by more than a step of 0.2."""
    applications = Applications()
    logs = [0.0]
    for each in [missed, *later]:
        applications.observe(tenant="t", fingerprint="f", model="m", missed=each)
        (factor,) = applications.factors(tenant="t", fingerprint="f", models=["m"]) or []
        logs.append(math.log(factor))

    steps = [abs(new - old) for old, new in itertools.pairwise(logs)]
    assert steps[0] <= math.log(1.07)
    assert max(steps) <= 0.2


@given(st.lists(OBSERVED, max_size=60))
def test_one_tenant_cannot_touch_anothers(observed: list[tuple[str, str, str, float]]) -> None:
    """Whatever it sends, under whatever fingerprint."""
    alone, beside = Applications(), Applications()
    for number, (_, found, model, missed) in enumerate(observed):
        alone.observe(tenant="good", fingerprint="f", model="small", missed=0.5)
        beside.observe(tenant="good", fingerprint="f", model="small", missed=0.5)
        for fingerprint_ in (found, str(number)):
            beside.observe(tenant="bad", fingerprint=fingerprint_, model=model, missed=missed)

    known = [each.factors(tenant="good", fingerprint="f", models=["small"]) for each in (alone, beside)]
    assert known[0] == known[1]


@given(st.floats(-2.5, 2.5))
def test_it_converges(bias: float) -> None:
    """A constant bias is made up for to within what smoothing keeps."""
    applications = Applications()
    for _ in range(500):
        applications.observe(tenant="t", fingerprint="f", model="m", missed=bias)

    (factor,) = applications.factors(tenant="t", fingerprint="f", models=["m"]) or []
    assert math.log(factor) == pytest.approx(bias, rel=0.05, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=200))
def test_places_are_bounded(keys: list[tuple[int, int]]) -> None:
    """However many tenants and applications there are."""
    applications = Applications()
    for tenant, number in keys:
        applications.observe(tenant=str(tenant), fingerprint=str(number), model="m", missed=0.0)

    assert len(applications.by_tenant) <= TENANTS
    assert all(0 < len(own) <= APPLICATIONS for own in applications.by_tenant.values())
    assert len(applications) + applications.forgotten >= len(set(keys))
