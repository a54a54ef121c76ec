"""Budgets and the file of answers, whatever happens."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_bench.probing.asking import missing
from chimera_bench.probing.budget import Budget, Meter, Unit
from chimera_bench.probing.log import Answer, AnswerLog, ProbingError
from chimera_training.probes.probe import read_probes

PROBES = read_probes()[:5]
RESERVE = 100

answers = st.builds(
    Answer,
    model=st.text(min_size=1, max_size=5),
    probe=st.sampled_from([probe.id for probe in PROBES]),
    right=st.booleans(),
    given=st.booleans(),
    cut=st.booleans(),
    simulated=st.booleans(),
    prompt_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
)


@settings(max_examples=100, deadline=None)
@given(
    amount=st.integers(1, 2000),
    unit=st.sampled_from(Unit),
    earlier=st.integers(0, 5),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, RESERVE)), max_size=60),
)
def test_no_order_of_requests_and_answers_exceeds_a_budget(
    amount: int, unit: Unit, earlier: int, steps: list[tuple[bool, int]]
) -> None:
    """As long as a request takes at most what is reserved for it."""
    meter = Meter(Budget(amount, unit), reserve=RESERVE)
    for _ in range(earlier):
        meter.spend(RESERVE)
    before = meter.requests if unit is Unit.REQUESTS else meter.tokens
    for begins, tokens in [*steps, *[(False, RESERVE)] * len(steps)]:
        if begins and meter.fits():
            meter.begin()
        elif not begins and meter.under_way:
            meter.end(tokens)

    assert meter.under_way == 0
    assert (meter.requests if unit is Unit.REQUESTS else meter.tokens) <= max(amount, before)


@settings(max_examples=50, deadline=None)
@given(kept=st.lists(answers, max_size=6), torn=st.integers(0, 200))
def test_a_file_cut_anywhere_loses_only_what_was_cut(kept: list[Answer], torn: int) -> None:
    """Whole lines before the cut are all there; a header that was cut is told from none."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        log = AnswerLog(path, pool="pool", probes=PROBES)
        header = path.stat().st_size
        for answer in kept:
            log.append(answer)
        content = path.read_bytes()
        cut = content[: max(header, len(content) - torn)]
        path.write_bytes(cut)

        assert AnswerLog(path, pool="pool", probes=PROBES).answers == kept[: cut.count(b"\n") - 1]


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    """Never an error of another kind, and never a file changed that is not ours."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        path.write_bytes(content)
        try:
            AnswerLog(path, pool="pool", probes=PROBES)
        except ProbingError:
            assert path.read_bytes() == content
            return
        raise AssertionError("random bytes were taken for a file of answers")


@settings(max_examples=50, deadline=None)
@given(
    models=st.lists(st.sampled_from("abcd"), unique=True, max_size=4),
    known=st.lists(answers, max_size=10),
)
def test_missing_and_known_make_up_everything(models: list[str], known: list[Answer]) -> None:
    """Nothing is asked twice, nothing is forgotten."""
    questions = {(each.model, each.probe.id) for each in missing(PROBES, models, known)}
    done = {(answer.model, answer.probe) for answer in known}

    assert not questions & done
    assert questions | (done & {(model, probe.id) for model in models for probe in PROBES}) == {
        (model, probe.id) for model in models for probe in PROBES
    }
