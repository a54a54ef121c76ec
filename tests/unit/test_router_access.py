"""Who is let in: by mode, by token, by authority."""

import pytest
from access import FakeAuthority

from chimera_router.access import modes, tokens
from chimera_router.access.gate import Gate
from chimera_router.access.modes import Mode
from chimera_router.access.port import Verdict, Wanted
from chimera_router.access.verdicts import TTL, Verdicts
from chimera_router.errors import ConfigError, Forbidden, RequestError, Unauthenticated

pytestmark = pytest.mark.anyio

PAGE = Wanted("get", "/page")
GOOD = "good-token-0123456789"


@pytest.mark.parametrize(
    ("told", "token_file", "host", "in_pod", "mode"),
    [
        (None, False, "127.0.0.1", False, Mode.NONE),
        (None, False, "::1", True, Mode.NONE),
        (None, False, "localhost", False, Mode.NONE),
        (None, False, "0.0.0.0", True, Mode.KUBERNETES),
        (None, True, "0.0.0.0", True, Mode.TOKEN_FILE),
        (None, True, "127.0.0.1", False, Mode.TOKEN_FILE),
        (Mode.NONE, False, "0.0.0.0", True, Mode.NONE),
        (Mode.KUBERNETES, False, "127.0.0.1", False, Mode.KUBERNETES),
        (Mode.TOKEN_FILE, True, "10.0.0.1", False, Mode.TOKEN_FILE),
    ],
)
def test_mode_is_as_told_or_the_safe_one(
    told: Mode | None, *, token_file: bool, host: str, in_pod: bool, mode: Mode
) -> None:
    """Without a mode, a file of tokens is used, loopback is open, and a pod asks its cluster."""
    assert modes.choose(told, token_file=token_file, host=host, in_pod=in_pod) is mode


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "gateway.example"])
def test_nobody_is_let_in_by_forgetting_a_flag(host: str) -> None:
    """Where others reach the pages and nothing was told, the picker does not start, and says which flags there are."""
    with pytest.raises(ConfigError, match="--management-token-file FILE, --management-auth kubernetes, or"):
        modes.choose(None, token_file=False, host=host, in_pod=False)


@pytest.mark.parametrize(("told", "token_file"), [(Mode.TOKEN_FILE, False), (Mode.NONE, True), (Mode.KUBERNETES, True)])
def test_contradiction_is_refused(told: Mode, *, token_file: bool) -> None:
    """A file of tokens and its mode go together."""
    with pytest.raises(ConfigError, match="go together"):
        modes.choose(told, token_file=token_file, host="127.0.0.1", in_pod=False)


async def test_known_tokens_have_everything() -> None:
    """Each line of the file is a token; comments and empty lines are none."""
    known = tokens.parse(f"# scraper\n{GOOD}\n\n  other-token-0123456789==  \n".encode())
    authority = tokens.KnownTokens(lambda: known)

    verdicts = [
        await authority.judge(token, PAGE) for token in (GOOD, "other-token-0123456789==", "# scraper", "x" * 16)
    ]

    assert verdicts == [Verdict.ADMITTED] * 2 + [Verdict.UNAUTHENTICATED] * 2


@pytest.mark.parametrize(
    ("contents", "rule"),
    [
        (b"", "must hold at least one token"),
        (b"\n# none\n", "must hold at least one token"),
        (b"good-token-0123456789\ncanary\n", "line 2: a token has at least 16 characters"),
        (b"canary with spaces in it", "line 1"),
        (b"canary\xff\xfe0123456789", "line 1"),
    ],
)
def test_file_that_is_none_is_refused(contents: bytes, rule: str) -> None:
    """The line and the rule are told, never the line itself."""
    with pytest.raises(ConfigError, match=rule) as refused:
        tokens.parse(contents)

    assert "canary" not in str(refused.value)


def test_tokens_are_kept_as_digests() -> None:
    """What is in memory is of no use to who finds it there."""
    assert GOOD.encode() not in b"".join(tokens.parse(GOOD.encode()))


@pytest.mark.parametrize("authorization", [f"Bearer {GOOD}", f"bearer  {GOOD}", f"BEARER {GOOD} "])
async def test_bearer_of_a_known_token_is_let_in(authorization: str) -> None:
    """The authority is asked for the token and what it is wanted for."""
    authority = FakeAuthority(**{GOOD: "/page"})

    await Gate(authority, refused=pytest.fail).admit([authorization], PAGE)

    assert authority.asked == [(GOOD, PAGE)]


@pytest.mark.parametrize(
    "authorization",
    [[], [""], ["Bearer"], ["Bearer "], [f"Basic {GOOD}"], [GOOD], [f"Bearer {GOOD} {GOOD}"], [f"Bearer {GOOD}"] * 2],
)
async def test_call_without_one_token_is_refused(authorization: list[str]) -> None:
    """None, several, or something else: nobody is asked."""
    authority, refused = FakeAuthority(**{GOOD: "*"}), []

    with pytest.raises(Unauthenticated):
        await Gate(authority, refused=refused.append).admit(authorization, PAGE)

    assert (authority.asked, refused) == ([], [Verdict.UNAUTHENTICATED])


@pytest.mark.parametrize(
    ("token", "error", "verdict"),
    [("unknown", Unauthenticated, Verdict.UNAUTHENTICATED), (GOOD, Forbidden, Verdict.FORBIDDEN)],
)
async def test_refusal_says_why(token: str, error: type[RequestError], verdict: Verdict) -> None:
    """Who is not known and who may not have this are told apart, and counted; the token is in no text."""
    refused: list[Verdict] = []

    with pytest.raises(error) as raised:
        await Gate(FakeAuthority(**{GOOD: "/other"}), refused=refused.append).admit([f"Bearer {token}"], PAGE)

    assert refused == [verdict]
    assert token not in str(raised.value)


async def test_open_paths_ask_nobody() -> None:
    """What is open, and everything where there is no authority, needs no token."""
    authority = FakeAuthority()

    await Gate(authority, open_paths=["/page"], refused=pytest.fail).admit([], PAGE)
    await Gate(None, refused=pytest.fail).admit([], Wanted("post", "/other"))

    assert authority.asked == []


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdict_is_remembered_for_its_time(verdict: Verdict) -> None:
    """Each for as long as it may be wrong."""
    verdicts = Verdicts()
    verdicts.keep("key", verdict, 100.0)

    assert verdicts.find("key", 100.0 + TTL[verdict] - 0.01) is verdict
    assert verdicts.find("key", 100.0 + TTL[verdict]) is None
    assert verdicts.find("other", 100.0) is None


def test_latest_verdicts_are_kept() -> None:
    """Beyond the limit the one that was decided first is forgotten; deciding anew makes it the latest."""
    verdicts = Verdicts(limit=2)
    for key in ("a", "b", "a", "c"):
        verdicts.keep(key, Verdict.ADMITTED, 0.0)

    assert [verdicts.find(key, 1.0) for key in "abc"] == [Verdict.ADMITTED, None, Verdict.ADMITTED]
