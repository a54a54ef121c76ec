"""`chimera calibrate` as people run it: against a server that knows the answers, and against the real stack."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pool_documents import model_document, pool_document
from probed_pool import ProbedPool, in_a_thread
from processes import await_that
from typer.testing import CliRunner, Result

from chimera_cli.app import app
from chimera_router.prediction.bundle import default_bundle, read_bundle
from chimera_training.bundle import TrainedModel
from chimera_training.probes.probe import Probe

LLAMA = "Meta-Llama-3-8B-Instruct"

runner = CliRunner()


def good(probe: Probe) -> float:
    return 1.0 - 0.12 * probe.level


def poor(probe: Probe) -> float:
    return 0.8 - 0.15 * probe.level


@pytest.fixture
def pool() -> ProbedPool:
    return ProbedPool({"a": good, "b": poor}, tokens={"a": 150, "b": 300})


@pytest.fixture
def url(pool: ProbedPool) -> Iterator[str]:
    with in_a_thread(pool) as address:
        yield address


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """The pool's document: `a` is recorded, `b` is not."""
    models = (
        model_document("a", descriptor={"trainedAs": LLAMA}),
        model_document("b", descriptor={"parametersB": 8, "family": "llama-3"}),
    )
    path = tmp_path / "pool.yaml"
    path.write_text(yaml.safe_dump(pool_document(*models)))
    return path


def calibrate(*arguments: object) -> Result:
    return runner.invoke(app, ["calibrate", *map(str, arguments)])


def entry(bundle: Path, name: str) -> TrainedModel:
    return next(model for model in read_bundle(bundle).manifest.models if model.name == name)


def refusal(result: Result, code: int) -> str:
    """Return the line that a refused command prints last, below its progress bar if there was one."""
    assert (result.exit_code, result.stdout) == (code, "")
    *_, line = result.stderr.strip().splitlines()
    return line


def test_a_pool_is_calibrated_into_a_bundle_that_the_picker_reads(
    pool: ProbedPool, url: str, document: Path, tmp_path: Path
) -> None:
    """The document says who its models are; the address, where they are asked."""
    out = tmp_path / "bundle"
    result = calibrate(document, "--url", url, "--out", out, "--budget", "240requests")

    assert result.exit_code == 0, result.stderr
    assert len(pool.asked) == 240
    assert "Calibration" in result.stdout
    assert f"{out}: written, from 240 answers" in result.stdout
    assert entry(out, "b").ability < entry(out, LLAMA).ability
    assert entry(out, "b").stage_verbosity > entry(out, LLAMA).stage_verbosity
    assert entry(out, "b").family == "llama-3"
    assert {file.name for file in out.iterdir()} == {file.name for file in default_bundle().iterdir()}


def test_the_report_lies_beside_the_bundle(url: str, document: Path, tmp_path: Path) -> None:
    """And is what `--json` prints; a bundle's folder holds nothing else."""
    out = tmp_path / "bundle"
    result = calibrate(document, "--url", url, "--out", out, "--budget", "80requests", "--json")
    report = json.loads(result.stdout)

    assert report == json.loads((tmp_path / "bundle.report.json").read_text())
    assert (report["requests"], report["known_models"], report["simulated"]) == (80, 1, False)
    assert [(each["model"], each["entry"], each["answers"]) for each in report["models"]] == [
        ("a", LLAMA, 40),
        ("b", "b", 40),
    ]
    assert set(report["models"][0]["calibration_error"]) == {"before", "after"}


def test_a_later_run_goes_on(pool: ProbedPool, url: str, document: Path, tmp_path: Path) -> None:
    """The same command with a larger budget asks the rest, and replaces the bundle."""
    out = tmp_path / "bundle"
    calibrate(document, "--url", url, "--out", out, "--budget", "40requests")
    result = calibrate(document, "--url", url, "--out", out, "--budget", "60requests")

    assert result.exit_code == 0
    assert "40 answers are there from earlier runs" in result.stderr
    assert len(pool.asked) == len(set(pool.asked)) == 60


def test_an_address_alone_will_do(url: str, tmp_path: Path) -> None:
    """Models are what the pool lists; where the bundle knows none, the output says what that means."""
    out = tmp_path / "bundle"
    result = calibrate(url, "--models", "b", "--out", out, "--budget", "20requests")

    assert result.exit_code == 0
    assert "The bundle knew none of these models" in result.stdout
    assert entry(out, "b").parameters_b == 0


def test_a_bundle_can_be_the_start_of_the_next(url: str, document: Path, tmp_path: Path) -> None:
    """But not be written over itself: the same answers would count twice."""
    first, second = tmp_path / "first", tmp_path / "second"
    calibrate(document, "--url", url, "--out", first, "--budget", "20requests")

    assert (
        calibrate(document, "--url", url, "--bundle", first, "--out", second, "--budget", "20requests").exit_code == 0
    )
    assert len(read_bundle(first).manifest.models) == len(read_bundle(second).manifest.models)
    same = calibrate(document, "--url", url, "--bundle", first, "--out", first)
    assert refusal(same, 2).startswith("--out must be another folder than --bundle")


def test_answers_cut_at_the_limit_are_told(pool: ProbedPool, url: str, tmp_path: Path) -> None:
    """Their lengths are lower bounds."""
    pool.finish = "length"
    result = calibrate(url, "--out", tmp_path / "bundle", "--budget", "20requests")

    assert "Some answers were cut at --max-tokens, of a, b" in result.stdout


def test_the_key_comes_from_the_environment(
    pool: ProbedPool, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the variable that is named, or the usual one; nothing that is printed or kept holds it."""
    pool.key = "canary"
    out = tmp_path / "bundle"
    assert "--api-key-env" in refusal(calibrate(url, "--out", out), 1)

    monkeypatch.setenv("MY_KEY", "canary")
    result = calibrate(url, "--out", out, "--budget", "4requests", "--api-key-env", "MY_KEY")
    assert result.exit_code == 0
    monkeypatch.setenv("CHIMERA_API_KEY", "canary")
    assert calibrate(url, "--out", tmp_path / "other", "--budget", "4requests").exit_code == 0

    written = [file.read_text() for file in tmp_path.glob("*.json*")]
    assert not [text for text in [result.output, *written] if "canary" in text]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--budget", "300"], "the budget must be a number with its unit, such as 300requests or 200000tokens"),
        (["--api-key-env", "NO_SUCH_KEY"], "the environment variable NO_SUCH_KEY holds no API key"),
        (["--bundle", "nowhere"], "nowhere/bundle.json: the file is missing"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(
    pool: ProbedPool, url: str, tmp_path: Path, arguments: list[str], rule: str
) -> None:
    """One line that names the rule."""
    assert refusal(calibrate(url, "--out", tmp_path / "bundle", *arguments), 2) == rule
    assert pool.asked == []


def test_a_folder_with_something_else_in_it_is_not_written_to(pool: ProbedPool, url: str, tmp_path: Path) -> None:
    """Said before a token is spent."""
    (tmp_path / "thesis.tex").write_text("")

    assert "must be empty or hold a bundle only" in refusal(calibrate(url, "--out", tmp_path), 2)
    assert pool.asked == []


def test_an_unknown_model_is_refused(url: str, tmp_path: Path) -> None:
    """With those there are."""
    line = refusal(calibrate(url, "--out", tmp_path / "bundle", "--models", "a,x"), 1)

    assert line == "the pool has no model x; it has a, b"


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    """As `chimera up` names it."""
    line = refusal(calibrate(tmp_path / "no.yaml", "--out", tmp_path / "bundle"), 2)

    assert line == f"{tmp_path / 'no.yaml'}: No such file or directory"


def test_simulated_engines_teach_nothing_unless_it_is_a_rehearsal(pool: ProbedPool, url: str, tmp_path: Path) -> None:
    """And a rehearsal says that it was one."""
    pool.fingerprint = "simulated"
    out = tmp_path / "bundle"

    assert "rehearse with --simulated" in refusal(calibrate(url, "--out", out), 1)
    result = calibrate(url, "--out", out, "--budget", "8requests", "--simulated")
    assert "The engines were simulated: no figure says anything of a model." in result.stdout
    assert json.loads((tmp_path / "bundle.report.json").read_text())["simulated"]


def test_ctrl_c_keeps_the_answers(pool: ProbedPool, url: str, tmp_path: Path) -> None:
    """It ends as shells expect, says how to go on, and shows no traceback."""
    calibrate(url, "--out", tmp_path / "bundle", "--budget", "6requests")
    pool.hold()
    command = [sys.executable, "-m", "chimera_cli", "calibrate", url, "--out", str(tmp_path / "bundle")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        await_that(lambda: pool.most > 0, seconds=40)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)

    assert (process.returncode, output) == (130, "")
    assert errors.strip().endswith("The answers so far are kept: the same command goes on from here")
    assert "Traceback" not in errors
    assert len((tmp_path / "bundle.answers.jsonl").read_text().splitlines()) == 7


def test_help_shows_examples() -> None:
    """One with a document and a budget, one with an address."""
    text = " ".join(calibrate("--help").stdout.split())

    assert "chimera calibrate pool.yaml --url http://127.0.0.1:8080 --budget 300requests" in text
    assert "chimera calibrate http://127.0.0.1:8080 --models small,large --out my-bundle" in text


def test_a_document_is_served_for_the_time_of_its_calibration(document: Path, tmp_path: Path) -> None:
    """The real Envoy and picker pin each model that is asked, in front of simulated engines."""
    out = tmp_path / "bundle"
    result = calibrate(document, "--simulated", "--out", out, "--budget", "8requests", "--json")

    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["pool"], report["simulated"]) == ("pool", True)
    assert [(each["model"], each["answers"], each["right"]) for each in report["models"]] == [("a", 4, 0), ("b", 4, 0)]
    assert all(each["mean_tokens"] > 1 for each in report["models"])
    assert entry(out, "b").parameters_b == 8
