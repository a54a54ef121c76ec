"""Rules of the gate, of its memory and of its files, for anything that may come."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from access import FakeAuthority
from hypothesis import given
from hypothesis import strategies as st

from chimera_router.access import tokens
from chimera_router.access.gate import Gate
from chimera_router.access.port import Verdict, Wanted
from chimera_router.access.verdicts import TTL, Verdicts
from chimera_router.errors import ConfigError, Unauthenticated
from chimera_router.tls import material

PAGE = Wanted("get", "/page")
MADE = material.self_signed(("localhost",), now=datetime(2026, 5, 1, tzinfo=UTC))

events = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(list(Verdict)), st.floats(0, 30)), max_size=50)


@given(events, st.integers(1, 5))
def test_memory_tells_only_what_was_decided_of_late(decided: list[tuple[int, Verdict, float]], limit: int) -> None:
    """What is found is the last verdict on this key and not too old, and never more are kept than the limit."""
    verdicts, now, latest = Verdicts(limit), 0.0, dict[int, tuple[Verdict, float]]()
    for key, verdict, wait in decided:
        now += wait
        verdicts.keep(key, verdict, now)
        latest[key] = verdict, now
    found = {key: known for key in range(10) if (known := verdicts.find(key, now))}

    assert len(found) <= limit
    assert all(latest[key][0] is known and now < latest[key][1] + TTL[known] for key, known in found.items())


@given(st.lists(st.text(max_size=40), max_size=3))
def test_gate_asks_of_nothing_but_one_bearer_token(authorization: list[str]) -> None:
    """Whatever is sent, either one token was asked about, or the call was refused without asking."""
    authority = FakeAuthority()
    with pytest.raises(Unauthenticated):
        asyncio.run(Gate(authority, refused=lambda _: None).admit(authorization, PAGE))

    assert all(authorization[0].lower().lstrip().startswith("bearer ") for _ in authority.asked)
    assert len(authority.asked) <= (len(authorization) == 1)


@given(st.binary(max_size=200))
def test_any_file_is_tokens_or_a_rule(contents: bytes) -> None:
    """A file of tokens is taken or refused, whatever is in it; what is taken is a digest for each line at most."""
    with suppress(ConfigError):
        assert 0 < len(tokens.parse(contents)) <= len(contents.splitlines())


cuts = st.tuples(st.integers(0, 600), st.integers(0, 600)).map(sorted)  # bytes; a certificate has some 540


@given(st.integers(0, 2), cuts, st.binary(max_size=20))
def test_any_certificate_is_taken_or_a_rule(at: int, cut: list[int], instead: bytes) -> None:
    """Files with anything cut out and put in are taken or refused by a rule of ours."""
    parts = [MADE.certificate, MADE.key, MADE.certificate]
    parts[at] = parts[at][: cut[0]] + instead + parts[at][cut[1] :]
    with suppress(ConfigError):
        assert material.parse(*parts).certificate == parts[0]
