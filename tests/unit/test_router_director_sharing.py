"""Two directors that share their workflows through a server in memory."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from directors import Clock, FakePredictor, director
from pools import prediction
from shared_pickers import codec, sharing, until
from shared_servers import Kept, MemoryServer

from chimera_router.director import Director
from chimera_router.errors import AlreadyJudged, UnknownWorkflow
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.parsing.usage import Usage
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, AnswerTold, Choose

pytestmark = pytest.mark.anyio

TASK = {"role": "user", "content": "task"}
TOLD = "the reply of the first stage, long enough to tell"
LATER = [TASK, {"role": "assistant", "content": TOLD}, {"role": "user", "content": "observed"}]
IDS = {"x-chimera-tenant": "acme", "x-request-id": "r-1"}


def asked(*messages: dict[str, str], **headers: str) -> Choose:
    body = json.dumps({"model": "auto", "messages": messages or [TASK]}).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Choose(request=parse(Api.CHAT, body, Limits()), headers={**IDS, **names}, pinned=None, subset=None)


async def answered(made: Director, *messages: dict[str, str], tokens: int = 30) -> str:
    """Serve a request to its end and return its workflow's id."""
    exchange = await made.choose(asked(*messages))
    exchange.started(AnswerStarted(200))
    exchange.told(AnswerTold(tokens, Answer((Reply(TOLD),))))
    exchange.ended(AnswerEnded(tokens, Usage(5, tokens, 2)))
    exchange.close()
    return exchange.program.id


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Director, Director]]:
    kept, made = Kept(), []
    async with AsyncExitStack() as stack:
        for name in (b"a", b"b"):
            # The other one's predictor is sure of the small model: where a workflow stays is not its doing.
            sure = {
                "small": prediction(0.4 if name == b"a" else 0.9),
                "large": prediction(0.9 if name == b"a" else 0.4),
            }
            table = await stack.enter_async_context(sharing(MemoryServer(kept, name), codec(name)))
            each = director(FakePredictor(**sure), clock=time.monotonic, shared=table.shared)
            await until(lambda table=table: table.up)  # type: ignore[misc]
            made.append(each)
        yield made[0], made[1]


async def settled(made: Director) -> None:
    await until(lambda: made.shared.untold == 0)  # type: ignore[union-attr]


async def test_a_stage_at_another_picker_keeps_model_and_tokens() -> None:
    """Its predictor is asked about a second stage, and the place is that of the first."""
    async with pair() as (one, other):
        workflow = await answered(one, TASK)
        await settled(one)

        exchange = await other.choose(asked(*LATER))
        exchange.close()

    query = other.pool.predictor.asked[-1]  # type: ignore[attr-defined]
    assert (query.stage, query.tokens_so_far, query.last_tokens, query.largest_tokens) == (1, 30, 30, 30)
    assert (exchange.program.id, exchange.decision.model) == (workflow, "large")
    assert exchange.decision.reason == "workflow"
    assert other.tally.recognised == other.tally.kept == 1


async def test_an_answer_that_passed_unseen_is_learned_where_it_comes_back() -> None:
    """Its length, from the request that repeats it, at whichever picker: once, and it counts for its workflow."""
    async with pair() as (one, other):
        unseen = await one.choose(asked(TASK))
        unseen.started(AnswerStarted(200))
        unseen.over(None)
        await settled(one)

        exchange = await other.choose(asked(*LATER))
        tokens = exchange.conversation.turns[0].tokens
        exchange.close()
        await settled(other)
        again = await one.choose(asked(*LATER))
        again.close()

    (learned,) = other.pool.predictor.seen  # type: ignore[attr-defined]
    assert (learned.model, learned.stage, learned.output_tokens) == ("large", 0, tokens)
    assert exchange.program.id == again.program.id == unseen.program.id
    assert (exchange.program.tokens, again.program.tokens, again.program.stage) == (tokens, tokens, 1)
    assert one.pool.predictor.seen == []  # type: ignore[attr-defined]


async def test_a_choice_that_may_ask_others_is_not_made_at_once() -> None:
    """A director that shares may have to wait; one that does not decides as soon as its predictor lets it."""
    async with pair() as (one, _):
        assert (one.prompt, director().prompt) == (False, True)


@pytest.mark.parametrize("named", ["workflow_id", "request_id"])
async def test_feedback_reaches_any_picker_once(named: str) -> None:
    """It is held against the model and the confidence of the picker that decided."""
    async with pair() as (one, other):
        workflow = await answered(one, TASK)
        await settled(one)
        subject = {named: workflow if named == "workflow_id" else "r-1"}

        assert await other.judge(1.0, tenant="acme", **subject) == "large"
        await settled(other)
        with pytest.raises(AlreadyJudged):
            await one.judge(1.0, tenant="acme", **subject)
        with pytest.raises(UnknownWorkflow):
            await other.judge(1.0, tenant="else", **subject)

    (judgement,) = other.pool.predictor.judged  # type: ignore[attr-defined]
    assert (judgement.model, judgement.confidence) == ("large", 0.9)
    assert one.pool.predictor.judged == []  # type: ignore[attr-defined]


async def test_ranks_of_two_pickers_compare() -> None:
    """The same request at the same moment has one place in an engine's queue, whichever picker it went to."""
    unix = Clock()
    early, late = (director(clock=lambda begun=begun: begun, wall=unix) for begun in (5.0, 700.0))  # type: ignore[misc]

    first, second = await early.choose(asked()), await late.choose(asked())
    unix.now += 10.0
    third = await early.choose(asked())

    assert first.route.priority == second.route.priority
    assert first.route.priority is not None
    assert third.route.priority == first.route.priority + 10 * 12  # the default rate of aging, tokens a second
