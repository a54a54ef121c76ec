"""The file of answers: what it keeps, and what it refuses."""

import json
from pathlib import Path

import msgspec
import pytest

from chimera_bench.probing.log import Answer, AnswerLog, ProbingError
from chimera_training.probes.probe import read_probes

PROBES = read_probes()[:3]


def answer(model: str = "small", probe: str = PROBES[0].id) -> Answer:
    return Answer(
        model=model,
        probe=probe,
        right=True,
        given=True,
        cut=False,
        simulated=False,
        prompt_tokens=50,
        output_tokens=100,
    )


def log(folder: Path, *, pool: str = "assistants") -> AnswerLog:
    return AnswerLog(folder / "answers.jsonl", pool=pool, probes=PROBES)


def test_answers_outlive_the_program(tmp_path: Path) -> None:
    """Each is in the file as soon as it is appended."""
    first = log(tmp_path)
    first.append(answer())
    first.append(answer("large"))

    assert log(tmp_path).answers == [answer(), answer("large")] == first.answers


def test_neither_questions_nor_answers_are_kept(tmp_path: Path) -> None:
    """Ids, flags and counts only."""
    log(tmp_path).append(answer())
    header, line = (tmp_path / "answers.jsonl").read_text().splitlines()

    assert set(json.loads(header)) == {"format_version", "pool", "probes"}
    assert PROBES[0].question not in line
    assert set(json.loads(line)) == {
        *("model", "probe", "right", "given", "cut", "simulated", "prompt_tokens", "output_tokens")
    }


def test_a_line_torn_by_a_kill_is_asked_again(tmp_path: Path) -> None:
    """What has no end was not kept; the next answer starts a line of its own."""
    log(tmp_path).append(answer())
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes() + b'{"model":"lar')

    again = log(tmp_path)
    again.append(answer("large"))

    assert log(tmp_path).answers == [answer(), answer("large")]


def test_a_header_without_its_end_is_no_header(tmp_path: Path) -> None:
    """The first run was killed as it began; the file holds nothing."""
    log(tmp_path)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes().rstrip())

    with pytest.raises(ProbingError, match="move the file away"):
        log(tmp_path)


def test_changed_probes_are_noticed(tmp_path: Path) -> None:
    """Answers to other questions would be scored as answers to these."""
    log(tmp_path)
    changed = [msgspec.structs.replace(PROBES[0], answer="0"), *PROBES[1:]]

    with pytest.raises(ProbingError, match="another set of probes; move the file away, or choose another --out"):
        AnswerLog(tmp_path / "answers.jsonl", pool="assistants", probes=changed)


def test_another_pool_is_noticed(tmp_path: Path) -> None:
    """Models of equal names may be others there."""
    log(tmp_path)

    with pytest.raises(ProbingError, match="are of the pool assistants, not of others"):
        log(tmp_path, pool="others")


@pytest.mark.parametrize("content", ["", "\n", "hello\n", '{"a": 1}\n', "\xff"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    """It is named, and nothing in it changes."""
    path = tmp_path / "answers.jsonl"
    path.write_text(content)

    with pytest.raises(ProbingError, match=r"answers\.jsonl: line 1 is not that of a file of answers"):
        log(tmp_path)
    assert path.read_text() == content


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    """By its number."""
    log(tmp_path)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes() + b"nonsense\n")

    with pytest.raises(ProbingError, match=r"line 2 is no answer; remove the line"):
        log(tmp_path)
