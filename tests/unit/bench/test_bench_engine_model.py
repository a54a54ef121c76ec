"""The step model on cases small enough to compute by hand: a step takes 1 + b/2 s, and 1/4 s a prompt token."""

import pytest
from bench_engines import coefficients, drain, finished, priority_engine, request, story

from chimera_bench.engine.model import PREFILL_TOKENS_PER_STEP, Engine
from chimera_bench.engine.types import DoesNotFit, EventKind


def test_a_request_prefills_once_and_then_gains_a_token_a_step() -> None:
    """Four prompt tokens stall the first step by one second; the others take 1.5 s each."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=4, output=3), 0.0)

    assert story(drain(engine)) == [("a", "admitted", 0.0), ("a", "first-token", 2.5), ("a", "finished", 5.5)]


def test_a_request_of_one_token_has_its_first_and_last_at_once() -> None:
    """The first token of a request may be its last."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=2, output=1), 3.0)

    assert story(drain(engine)) == [("a", "admitted", 3.0), ("a", "first-token", 5.0), ("a", "finished", 5.0)]


def test_a_request_joins_at_the_next_step_and_slows_the_batch() -> None:
    """One that comes during a step waits for its end; then its prefill stalls both and every step is longer."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=4, output=3), 0.0)
    engine.submit(request("b", prompt=2, output=3), 1.0)

    assert story(drain(engine)) == [
        ("a", "admitted", 0.0),
        ("a", "first-token", 2.5),
        ("b", "admitted", 2.5),
        ("b", "first-token", 5.0),
        ("a", "finished", 7.0),
        ("b", "finished", 8.5),
    ]


def test_a_request_that_comes_amid_a_long_stretch_joins_after_the_step_in_progress() -> None:
    """Steps taken as one stretch are still steps: the newcomer waits for one of them only."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=2, output=100), 0.0)
    engine.advance(2.0)
    engine.submit(request("b", prompt=2, output=1), 2.0 + 10 * 1.5 + 0.5)

    events = engine.advance(1000.0)

    assert story(events)[0] == ("b", "admitted", 2.0 + 11 * 1.5)


def test_no_more_run_than_there_are_slots() -> None:
    """With one slot the second request begins when the first has ended."""
    engine = Engine(coefficients(slots=1))
    engine.submit(request("a", output=4), 0.0)
    engine.submit(request("b", output=4), 0.0)

    events = drain(engine)

    assert [event.at for event in events if event.kind is EventKind.ADMITTED] == [0.0, finished(events)["a"]]


def test_the_lowest_priority_number_leaves_the_queue_first() -> None:
    """Under priority scheduling the queue is ordered by (priority, arrival)."""
    engine = priority_engine(slots=1)
    for name, priority in (("running", 0), ("late", 9), ("soon", -5), ("also-late", 9), ("middle", 3)):
        engine.submit(request(name, priority=priority), 0.0)

    assert list(finished(drain(engine))) == ["running", "soon", "middle", "late", "also-late"]


def test_fcfs_ignores_the_priority() -> None:
    """Without priority scheduling the field is accepted and has no effect, as in vLLM."""
    engine = Engine(coefficients(slots=1))
    for name, priority in (("a", 0), ("b", 9), ("c", -5)):
        engine.submit(request(name, priority=priority), 0.0)

    assert list(finished(drain(engine))) == ["a", "b", "c"]


def test_waiting_never_evicts_running() -> None:
    """However urgent, a waiting request gets no slot from a running one."""
    engine = priority_engine(slots=1)
    engine.submit(request("running", output=50, priority=100), 0.0)
    engine.submit(request("urgent", output=1, priority=-100), 1.0)

    events = drain(engine)

    assert list(finished(events)) == ["running", "urgent"]
    assert all(event.kind is not EventKind.PREEMPTED for event in events)


def test_the_head_of_the_queue_blocks_those_behind_it() -> None:
    """A small request does not overtake a large one that waits for KV space, as in vLLM."""
    engine = Engine(coefficients(kv=20))
    engine.submit(request("a", prompt=10, output=5), 0.0)
    engine.submit(request("large", prompt=12, output=1), 0.0)
    engine.submit(request("small", prompt=1, output=1), 0.0)

    assert list(finished(drain(engine))) == ["a", "large", "small"]


def test_a_step_admits_prompts_up_to_its_budget() -> None:
    """A step that already prefills the budget's tokens leaves the next prompt to the next step."""
    engine = Engine(coefficients(each=0.0, prefill=0.0))
    engine.submit(request("running", output=3), 0.0)
    for name in ("a", "b"):
        engine.submit(request(name, prompt=PREFILL_TOKENS_PER_STEP), 0.5)

    admitted = {event.request.id: event.at for event in drain(engine) if event.kind is EventKind.ADMITTED}

    assert admitted == {"running": 0.0, "a": 1.0, "b": 2.0}


def preempting_engine() -> Engine:
    """Return an engine whose cache of 10 tokens does not hold both of its requests to their end."""
    engine = Engine(coefficients(each=0.0, kv=10))
    engine.submit(request("a", prompt=4, output=4), 0.0)
    engine.submit(request("b", prompt=3, output=3), 0.0)
    return engine


def test_the_latest_is_preempted_and_recomputed_from_zero() -> None:
    """When running requests pass the KV cache the latest one goes back and prefills its prompt and its own tokens."""
    assert story(drain(preempting_engine())) == [
        ("a", "admitted", 0.0),
        ("a", "first-token", 2.0),
        ("b", "admitted", 2.0),
        ("b", "first-token", 3.75),
        ("b", "preempted", 3.75),
        ("a", "finished", 5.75),
        ("b", "admitted", 5.75),
        ("b", "finished", 8.75),
    ]


def test_a_preempted_request_keeps_the_tokens_it_made() -> None:
    """What was generated before preemption is not generated again."""
    engine = preempting_engine()
    engine.advance(4.0)

    assert (engine.generated("a", 4.0), engine.generated("b", 4.0)) == (2, 1)


def test_the_worst_priority_is_preempted_even_if_it_came_first() -> None:
    """Under priority scheduling the victim is the running request with the largest (priority, arrival)."""
    engine = priority_engine(each=0.0, kv=10)
    engine.submit(request("first", prompt=4, output=4, priority=7), 0.0)
    engine.submit(request("second", prompt=3, output=3, priority=1), 0.0)

    preempted = [event.request.id for event in drain(engine) if event.kind is EventKind.PREEMPTED]

    assert preempted == ["first"]


def test_a_conversation_prefills_only_what_is_new() -> None:
    """The second prompt of a conversation finds the first one's tokens and its reply's in the cache."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=4, output=2, conversation="talk"), 0.0)
    drain(engine)
    engine.submit(request("b", prompt=10, output=1, conversation="talk"), 10.0)

    events = drain(engine)

    assert events[0].cached_tokens == 6
    assert finished(events) == {"b": 10.0 + 1.5 + 4 * 0.25}


def test_other_conversations_share_nothing() -> None:
    """A prompt of another conversation, or of none, is computed whole."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=4, conversation="talk"), 0.0)
    engine.submit(request("b", prompt=4), 0.0)
    drain(engine)
    engine.submit(request("c", prompt=8, conversation="another"), 50.0)
    engine.submit(request("d", prompt=8), 50.0)

    assert [event.cached_tokens for event in drain(engine)] == [0] * 6


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    """A prompt that is cached whole still costs one token: its logits give the first output."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=4, output=2, conversation="talk"), 0.0)
    drain(engine)
    engine.submit(request("b", prompt=4, conversation="talk"), 10.0)

    assert drain(engine)[0].cached_tokens == 3


def test_running_requests_take_the_room_of_cached_conversations() -> None:
    """The prefix cache lives in KV space nobody uses: the conversation unused for longest goes first."""
    engine = Engine(coefficients(kv=20))
    for name in ("old", "new"):
        engine.submit(request(name, prompt=6, output=1, conversation=name), engine.next_event_at or 0.0)
        drain(engine)
    engine.submit(request("c", prompt=8, output=1), 50.0)

    assert engine.cached_tokens == 7
    assert drain(engine)[0].request.id == "c"


def test_a_cancelled_request_frees_its_slot_and_its_tokens() -> None:
    """Whoever waits is admitted after the step in progress."""
    engine = Engine(coefficients(each=0.0, slots=1))
    engine.submit(request("a", prompt=4, output=50), 0.0)
    engine.submit(request("b", prompt=4, output=2), 0.0)
    engine.advance(10.25)

    assert engine.cancel("a", 10.25)
    assert engine.used_tokens(10.25) == 0
    assert story(drain(engine)) == [("b", "admitted", 11.0), ("b", "first-token", 13.0), ("b", "finished", 14.0)]


def test_a_waiting_request_can_be_cancelled() -> None:
    """It leaves the queue without having run."""
    engine = Engine(coefficients(slots=1))
    engine.submit(request("a", output=2), 0.0)
    engine.submit(request("b", output=2), 0.0)

    assert engine.cancel("b", 0.5)
    assert list(finished(drain(engine))) == ["a"]


def test_a_request_cancelled_during_its_prefill_has_no_first_token() -> None:
    """The step that computes its prompt ends for nobody."""
    engine = Engine(coefficients())
    engine.submit(request("a", prompt=4, output=2), 0.0)
    engine.cancel("a", 1.0)

    assert story(drain(engine)) == [("a", "admitted", 0.0)]
    assert engine.next_event_at is None


def test_cancelling_what_has_ended_changes_nothing() -> None:
    """A client that hangs up after the last token is late, not wrong."""
    engine = Engine(coefficients())
    engine.submit(request("a"), 0.0)
    drain(engine)

    assert not engine.cancel("a", 10.0)


def test_progress_can_be_read_at_any_moment() -> None:
    """Tokens and KV space grow with every step of a stretch, not only at its end."""
    engine = Engine(coefficients(each=0.0))
    engine.submit(request("a", prompt=4, output=10), 0.0)
    engine.advance(2.0)

    assert [engine.generated("a", now) for now in (2.0, 2.75, 3.0, 6.5)] == [1, 1, 2, 5]
    assert [engine.used_tokens(now) for now in (2.0, 2.75, 3.0, 6.5)] == [6, 6, 7, 10]
    assert [engine.generated_tokens(now) for now in (2.0, 6.5)] == [1, 5]


def test_the_progress_of_a_stranger_is_an_error() -> None:
    """Who has ended, or never came, has no progress."""
    with pytest.raises(KeyError):
        Engine(coefficients()).generated("nobody", 0.0)


def test_a_request_larger_than_the_cache_is_refused() -> None:
    """It could never run, so it may not wait; the error says what would fit."""
    with pytest.raises(DoesNotFit, match="at most 10 tokens"):
        Engine(coefficients(kv=10)).submit(request("a", prompt=8, output=3), 0.0)


def test_a_request_that_fills_the_cache_runs() -> None:
    """The limit itself is allowed."""
    engine = Engine(coefficients(kv=10))
    engine.submit(request("a", prompt=8, output=2), 0.0)

    assert "a" in finished(drain(engine))


def test_time_does_not_run_backwards() -> None:
    """A submission or cancellation after the end of a step needs that step to be run first."""
    engine = Engine(coefficients())
    engine.submit(request("a"), 0.0)

    with pytest.raises(ValueError, match="advance"):
        engine.submit(request("b"), 60.0)
    with pytest.raises(ValueError, match="advance"):
        engine.cancel("a", 60.0)


@pytest.mark.parametrize(("prompt", "output"), [(0, 1), (1, 0)])
def test_a_request_has_tokens(prompt: int, output: int) -> None:
    """Neither prompt nor output may be empty."""
    with pytest.raises(ValueError, match="at least one token"):
        request("a", prompt=prompt, output=output)


def test_a_step_takes_time() -> None:
    """An engine that is infinitely fast is a mistake in its coefficients."""
    with pytest.raises(ValueError, match="take time"):
        Engine(coefficients(base=0.0, each=0.0))


def test_the_cache_is_used_by_what_runs() -> None:
    """Tokens kept for a conversation's next request can be had by anybody: they count as free."""
    engine = Engine(coefficients(kv=100))
    engine.submit(request("a", prompt=4, output=3, conversation="w"), 0.0)

    assert engine.kv_usage(0.0) == pytest.approx(0.05)
    drain(engine)
    assert (engine.kv_usage(99.0), engine.cached_tokens) == (0.0, 7)


def test_progress_is_told_of_what_runs() -> None:
    """By request, at any moment between two steps; those that wait have made nothing new."""
    engine = Engine(coefficients(slots=1))
    engine.submit(request("a", prompt=4, output=30), 0.0)
    engine.submit(request("b", prompt=4, output=30), 0.0)
    engine.advance(2.5)

    assert dict(engine.progress(2.5 + 3 * 1.5 + 0.1)) == {"a": 4}


def test_an_engine_may_forget_every_conversation() -> None:
    """Without prefix caching a later prompt is computed whole."""
    engine = Engine(coefficients(), prefix_caching=False)
    engine.submit(request("a", prompt=4, output=2, conversation="w"), 0.0)
    drain(engine)
    engine.submit(request("b", prompt=10, output=1, conversation="w"), 10.0)

    assert finished(drain(engine))["b"] == 10.0 + 1.5 + 10 / 4
