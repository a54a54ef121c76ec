"""Asking a pool over HTTP: what it lists, what it answers, how it refuses."""

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from probed_pool import ProbedPool, always, probed_pool

from chimera_bench.probing.client import ATTEMPTS, LISTING_ATTEMPTS, LONGEST_RETRY_AFTER, Client
from chimera_bench.probing.log import Answer, ProbingError
from chimera_training.probes.probe import read_probes

pytestmark = pytest.mark.anyio

PROBE = read_probes()[0]


async def ask(pool: ProbedPool, model: str = "small", *, key: str = "", simulated: bool = False) -> Answer:
    async with probed_pool(pool) as url, aiohttp.ClientSession() as session:
        client = Client(session, url, key=key, max_tokens=500, allow_simulated=simulated, sleep=pool.sleep)
        return await client.ask(model, PROBE)


async def models(pool: ProbedPool, *, path: str = "", key: str = "") -> tuple[str, list[str]]:
    async with probed_pool(pool) as url, aiohttp.ClientSession() as session:
        return await Client(session, f"{url}{path}", key=key, max_tokens=500, sleep=pool.sleep).models()


def small(chance: float = 1.0, **settings: object) -> ProbedPool:
    return ProbedPool({"small": always(chance)}, **settings)  # type: ignore[arg-type]


async def test_an_answer_is_scored_and_counted() -> None:
    """Right or wrong, the engine's own counts, and nothing of the text."""
    answer = await ask(small())

    assert answer == Answer(
        model="small",
        probe=PROBE.id,
        right=True,
        given=True,
        cut=False,
        simulated=False,
        prompt_tokens=50,
        output_tokens=100,
    )
    assert not (await ask(small(0.0))).right


async def test_an_answer_cut_at_the_limit_says_so() -> None:
    """Its length is a lower bound."""
    assert (await ask(small(finish="length"))).cut


async def test_simulated_answers_are_taken_only_for_a_rehearsal() -> None:
    """They say nothing of any model, and must not pass for measurements."""
    with pytest.raises(ProbingError, match=r"model small is simulated: .* rehearse with --simulated"):
        await ask(small(fingerprint="simulated"))

    assert (await ask(small(fingerprint="simulated"), simulated=True)).simulated


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
async def test_members_are_listed_without_the_pool_itself(path: str) -> None:
    """The pool's own name would be the choice among all; `/v1` may stand at the end of the address."""
    assert await models(ProbedPool({"a": always(1), "b": always(1)}), path=path) == ("assistants", ["a", "b"])


async def test_any_openai_server_is_a_pool_of_its_models() -> None:
    """One that lists no name of its own is called as its models' owner."""
    assert await models(small(name="")) == ("vllm", ["small"])


async def test_a_pool_without_models_is_told_from_none() -> None:
    """It may still be starting."""
    with pytest.raises(ProbingError, match="lists no models; wait until its engines serve"):
        await models(ProbedPool({}))


async def test_a_missing_key_names_the_option() -> None:
    """And never the key."""
    with pytest.raises(ProbingError, match=r"refuses the API key .*--api-key-env"):
        await models(small(key="secret"))
    with pytest.raises(ProbingError) as refusal:
        await ask(small(key="secret"), key="wrong-key")

    assert "secret" not in str(refusal.value)
    assert "wrong-key" not in str(refusal.value)


async def test_the_right_key_is_sent() -> None:
    """As a bearer token, with both calls."""
    assert await models(small(key="secret"), key="secret") == ("assistants", ["small"])
    assert (await ask(small(key="secret"), key="secret")).right


async def test_an_unknown_model_is_named_at_once() -> None:
    """Asking again would not help."""
    pool = small()
    with pytest.raises(ProbingError, match=r"does not know the model other; see http://.*/v1/models"):
        await ask(pool, "other")

    assert pool.pauses == []


async def test_a_busy_pool_is_asked_again_after_pauses_that_grow() -> None:
    """Twice as long each time."""
    pool = small(failures=[(503, ""), (502, ""), (429, "")])

    assert (await ask(pool)).right
    assert pool.pauses == [1.0, 2.0, 4.0]


async def test_retry_after_is_heeded_up_to_a_bound() -> None:
    """A server knows best when it has room, but nobody waits for an hour; a date or nonsense counts as none."""
    pool = small(failures=[(429, "7"), (503, "3600"), (429, "soon")])

    assert (await ask(pool)).right
    assert pool.pauses == [7.0, LONGEST_RETRY_AFTER, 4.0]


async def test_a_pool_that_stays_busy_is_given_up() -> None:
    """The sentence says what to do, and that nothing is lost."""
    pool = small(failures=[(503, "")] * 100)
    with pytest.raises(
        ProbingError, match=r"status 503, 6 times in a row, to model small; .*run the same command again"
    ):
        await ask(pool)

    assert len(pool.pauses) == ATTEMPTS - 1


async def test_a_refused_request_points_at_its_length() -> None:
    """A model whose context is too short for the limit answers 400."""
    with pytest.raises(ProbingError, match="status 400; try a smaller --max-tokens, or leave small out"):
        await ask(small(failures=[(400, "")]))


async def test_an_address_where_nobody_answers() -> None:
    """Said after a few attempts, with what to do."""
    pauses = small()
    async with aiohttp.ClientSession() as session:
        client = Client(session, "http://127.0.0.1:9", max_tokens=500, sleep=pauses.sleep)
        with pytest.raises(ProbingError, match="no pool answers there; start the pool, or give the address"):
            await client.models()

    assert len(pauses.pauses) == LISTING_ATTEMPTS - 1


@pytest.mark.parametrize("url", ["http://", "http://[", "http://127.0.0.1:99999"])
async def test_an_address_that_is_none(url: str) -> None:
    """Refused in a sentence."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ProbingError, match=r"the address of the pool must be|no pool answers there"):
            await Client(session, url, max_tokens=500, sleep=small().sleep).models()


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<h1>hello</h1>"), (200, b'{"data": 1}'), (200, b"\xff"), (404, b"")]
)
async def test_a_server_of_another_kind(status: int, body: bytes) -> None:
    """What it says is not repeated."""

    async def greet(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    application = web.Application()
    application.router.add_get("/v1/models", greet)
    async with TestServer(application, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        client = Client(session, f"http://127.0.0.1:{server.port}", max_tokens=500)
        with pytest.raises(ProbingError, match="give the base address of an OpenAI-compatible API") as refusal:
            await client.models()

    assert "hello" not in str(refusal.value)


async def test_an_answer_without_choices_is_wrong() -> None:
    """And none at all: a filter may have taken it away."""

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}})

    application = web.Application()
    application.router.add_post("/v1/chat/completions", nothing)
    async with TestServer(application, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        answer = await Client(session, f"http://127.0.0.1:{server.port}", max_tokens=500).ask("small", PROBE)

    assert (answer.right, answer.given, answer.output_tokens) == (False, False, 0)
