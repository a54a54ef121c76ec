"""The probe set: made by a program, the same everywhere, and right about its own answers."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from chimera_training.probes.generate import EACH, KINDS, LEVELS, generate
from chimera_training.probes.probe import PROBES, Form, Probe, balanced, digest, read_probes, write_lines
from chimera_training.probes.programs import FUNCTIONS
from chimera_training.probes.scoring import is_right


def test_the_set_that_ships_is_the_one_that_the_program_makes() -> None:
    """Nobody edited an answer by hand: `python -m chimera_training.probes` writes the same bytes."""
    assert write_lines(generate()) == PROBES.read_bytes()


def test_every_kind_and_level_has_its_probes() -> None:
    """Forty groups of ten."""
    counts = Counter((probe.kind, probe.level) for probe in read_probes())

    assert counts == {(kind, level): EACH for kind in KINDS for level in LEVELS}
    assert counts.total() == 400


def test_no_probe_occurs_twice() -> None:
    """Neither its id nor its question."""
    probes = read_probes()

    assert len({probe.id for probe in probes}) == len({probe.question for probe in probes}) == len(probes)


def test_every_reference_is_right_by_its_own_scoring() -> None:
    """A model that answers as the reference says is right."""
    wrong = [p.id for p in read_probes() if not is_right(f"Answer: {p.answer}", answer=p.answer, form=p.form)]

    assert wrong == []


def test_no_other_probes_answer_of_the_group_is_right_by_accident() -> None:
    """Answers tell probes apart, except letters and small results that coincide."""
    probes = [probe for probe in read_probes() if probe.form is not Form.LETTER]
    others = {probe.group: [each for each in probes if each.group == probe.group] for probe in probes}
    confused = [
        (probe.id, other.id)
        for probe in probes
        for other in others[probe.group]
        if probe.answer != other.answer and is_right(f"Answer: {other.answer}", answer=probe.answer, form=probe.form)
    ]

    assert confused == []


def test_another_seed_makes_other_questions() -> None:
    """Whoever fears that the shipped set was learned by heart makes another."""
    ours = {probe.question for probe in read_probes()}

    assert sum(probe.question in ours for probe in generate(seed=1)) < 20


def test_the_prompt_asks_for_the_form_after_the_question() -> None:
    """The text heads read the question alone; the model is told how to answer besides."""
    probe = Probe(id="a", kind="k", level=1, form=Form.LETTER, question="Which?", answer="B")

    assert probe.prompt.startswith("Which?\n\n")
    assert "the letter of the right option alone" in probe.prompt
    assert probe.prompt.endswith("\nAnswer: …")


def test_functions_are_of_every_level() -> None:
    """Each block of the file says its level and what it takes."""
    heads = [line.removeprefix("# ").split() for line in FUNCTIONS.read_text().splitlines() if line.startswith("# ")]

    assert {int(level) for level, _ in heads} == set(LEVELS)
    assert {takes for _, takes in heads} == {"list", "word"}


def test_a_broken_line_is_no_probe(tmp_path: Path) -> None:
    """The reader refuses what the schema does not hold."""
    path = tmp_path / "probes.jsonl"
    path.write_text('{"id": "a"}\n')

    with pytest.raises(msgspec.ValidationError):
        read_probes(path)


def test_the_digest_tells_sets_apart() -> None:
    """A changed answer, or another order, is another set."""
    probes = read_probes()

    assert digest(probes) == digest(read_probes())
    assert digest(probes) != digest(probes[::-1])
    assert digest(probes) != digest([msgspec.structs.replace(probes[0], answer="0"), *probes[1:]])


def test_any_beginning_of_the_order_is_spread_over_kinds_and_levels() -> None:
    """Forty probes are one of each group, a hundred at least two and at most three."""
    order = balanced(read_probes(), seed=3)

    assert set(Counter(probe.group for probe in order[:40]).values()) == {1}
    assert set(Counter(probe.group for probe in order[:100]).values()) == {2, 3}


def test_the_order_follows_the_seed() -> None:
    """Equal seeds, equal orders; and no probe is lost."""
    probes = read_probes()

    assert balanced(probes, seed=1) == balanced(probes, seed=1) != balanced(probes, seed=2)
    assert sorted(probe.id for probe in balanced(probes, seed=1)) == sorted(probe.id for probe in probes)
