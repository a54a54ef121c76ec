"""Scoring, the order of probes, and the fit, whatever comes."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_training.examples import Outcomes
from chimera_training.probes.fit import HeadPrior, cross_fitted, fit_heads, fit_verbosity
from chimera_training.probes.generate import KINDS
from chimera_training.probes.probe import Form, balanced, read_probes
from chimera_training.probes.scoring import LONGEST_ANSWER, extract, is_right

PROBES = read_probes()

numbers = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.decimals(-(10**6), 10**6, places=2, allow_nan=False, allow_infinity=False).map(str),
)
literals = st.recursive(
    st.one_of(st.integers(-99, 99), st.booleans(), st.text("abc xyz", max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=5,
)
markup = st.sampled_from(
    ["Answer: {}", "**Answer:** {}", "Answer: `{}`", "answer:\n```\n{}\n```", "Answer: {}\n\nDone."]
)
prose = st.text(st.characters(exclude_categories=["Cs"]), max_size=80).filter(
    lambda text: "answer" not in text.lower() and "```" not in text and "~~~" not in text
)


@settings(max_examples=150, deadline=None)
@given(reply=st.text(max_size=300), answer=numbers, form=st.sampled_from(Form))
def test_any_reply_is_scored(reply: str, answer: str, form: Form) -> None:
    """Right or wrong, never an error; and what is found is short."""
    assert is_right(reply, answer=answer, form=form) in {True, False}
    assert is_right(f"Answer: {reply}", answer=answer, form=form) in {True, False}
    assert len(extract(reply) or "") <= LONGEST_ANSWER


@settings(max_examples=100, deadline=None)
@given(answer=numbers, shape=markup, before=prose)
def test_a_right_number_is_right_in_any_markup(answer: str, shape: str, before: str) -> None:
    """Neither what stands before it nor the markup around it matters, nor separators between thousands."""
    whole, point, part = answer.partition(".")
    written = f"{int(whole):,}{point}{part}" if not whole.startswith("-0") else answer

    assert is_right(f"{before}\n{shape.format(answer)}", answer=answer, form=Form.NUMBER)
    assert is_right(f"{before}\n{shape.format(written)}", answer=answer, form=Form.NUMBER)


@settings(max_examples=100, deadline=None)
@given(answer=st.integers(-(10**6), 10**6), off=st.integers(1, 1000))
def test_another_number_is_wrong(answer: int, off: int) -> None:
    """However near it is."""
    assert not is_right(f"Answer: {answer + off}", answer=str(answer), form=Form.NUMBER)
    assert not is_right(f"Answer: {answer}\nAnswer: {answer + off}", answer=str(answer), form=Form.NUMBER)


@settings(max_examples=100, deadline=None)
@given(value=literals, shape=markup)
def test_a_literal_equals_itself_only(value: object, shape: str) -> None:
    """Its own spelling is right; that of a list around it is not."""
    assert is_right(shape.format(repr(value)), answer=repr(value), form=Form.LITERAL)
    assert not is_right(shape.format(repr([value])), answer=repr(value), form=Form.LITERAL)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), level=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_every_generator_makes_answerable_items(kind: str, level: int, seed: int) -> None:
    """From any randomness: a question, an answer that its own scoring takes, and the same again."""
    item, again = (KINDS[kind](Random(seed), level) for _ in range(2))  # noqa: S311 - no secret

    assert item == again
    assert item.question
    assert is_right(f"Answer: {item.answer}", answer=item.answer, form=item.form)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 400))
def test_any_beginning_of_the_order_is_balanced(seed: int, count: int) -> None:
    """No group of probes is ever two ahead of another."""
    groups = [probe.group for probe in balanced(PROBES, seed=seed)[:count]]
    counts = [groups.count(group) for group in {probe.group for probe in PROBES}]

    assert max(counts) - min(counts) <= 1


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    probes=st.integers(5, 25),
    models=st.integers(1, 4),
    level=st.floats(-8, 8),
    firmness=st.floats(0.1, 50),
)
def test_the_fit_is_finite_and_settles(
    data: st.DataObject, probes: int, models: int, level: float, firmness: float
) -> None:
    """From any answers and any prior, also one that is nearly sure of the contrary: more rounds change nothing."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    readings, groups = rng.normal(size=(probes, 3)), np.arange(probes) % 4
    task, model = (each.ravel() for each in np.meshgrid(np.arange(probes), np.arange(models)))
    answers = Outcomes(task=task, model=model, success=rng.integers(0, 2, len(task)).astype(np.float64))
    priors = [HeadPrior(np.full(3, level), firmness * np.eye(3))] * models

    fitted = fit_heads(answers, readings, groups, priors)
    chances = cross_fitted(answers, readings, groups, priors)

    assert np.isfinite(fitted.heads).all()
    assert ((chances >= 0) & (chances <= 1)).all()
    own = fitted.confidence(answers, readings, groups)
    # At the mode, what the answers still pull is what the prior holds against.
    pull = np.array([readings[task[model == m]].T @ (answers.success - own)[model == m] for m in range(models)])
    assert np.allclose(pull, firmness * (fitted.heads - level), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(wordy=st.floats(-1.5, 1.5), seed=st.integers(0, 10**6))
def test_verbosity_has_the_sign_of_what_was_observed(wordy: float, seed: int) -> None:
    """A placed model beside a recorded one is wordier exactly if it answered at greater length than predicted."""
    rng = np.random.default_rng(seed)
    groups = np.arange(40) % 4
    task, model = (each.ravel() for each in np.meshgrid(np.arange(40), np.arange(2)))
    answers = Outcomes(task=task, model=model, success=np.zeros(80))
    tokens = np.expm1(5.0 + wordy * model + rng.normal(0, 0.05, 80))

    fitted = fit_verbosity(
        answers,
        tokens,
        groups,
        known=[True, False],
        expected=np.zeros(2),
        predict=lambda verbosity: np.expm1(5.0 + np.tile(verbosity, (40, 1))),
    )

    assert abs(fitted[0]) < 0.2
    assert abs(fitted[1] - fitted[0] - wordy) < 0.15 + 0.3 * abs(wordy)
