import hashlib
from pathlib import Path

import pytest

from chimera_training.bundle import GRAPHS, MANIFEST, decode
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES, DataError, recorded_folder
from chimera_training.export import ExportError
from chimera_training.pipeline import STEPS, train
from chimera_training.split import HELD_OUT_SHARE

# Measured when the default bundle was made, less what the noise of 142 held-out agent tasks allows.
LOWEST_AUC = 0.70
LARGEST_CALIBRATION_ERROR = 0.03
LARGEST_BUNDLE = 3 << 20  # bytes


@pytest.fixture(scope="module")
def bundle(small_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "bundle"
    train(small_recordings, out, held_out_share=0.3)
    return out


@pytest.fixture(scope="module")
def default() -> Path:
    import chimera_router.prediction.bundle as reader  # noqa: PLC0415 - only these tests look across

    return reader.default_bundle()


def test_training_ends_in_a_bundle_that_fits_its_manifest(bundle: Path) -> None:
    """Every file is there with its digest."""
    manifest = decode((bundle / MANIFEST).read_bytes())

    assert {entry.name for entry in bundle.iterdir()} == {MANIFEST, *GRAPHS}
    for name, sha256 in manifest.files.items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == sha256


def test_the_manifest_says_what_it_was_trained_on(bundle: Path, small_recordings: Path) -> None:
    """Digests of the data, counts of what trained, models with family and size."""
    manifest = decode((bundle / MANIFEST).read_bytes())

    for name in (PROMPT_OUTCOMES, WORKFLOW_TRACES):
        assert manifest.training.files[name] == hashlib.sha256((small_recordings / name).read_bytes()).hexdigest()
    assert 0 < manifest.training.tasks < 120
    assert [(model.name, model.family, model.parameters_b) for model in manifest.models] == [
        ("Big-70B-Chat", "big", 70.0),
        ("Coder-7B-Chat", "coder", 7.0),
        ("Small-7B-Chat", "small", 7.0),
    ]


def test_the_manifest_holds_held_out_figures_of_every_task_set(bundle: Path) -> None:
    """Together, by kind and one by one; lengths for this call and for the rest."""
    figures = decode((bundle / MANIFEST).read_bytes()).figures

    assert [each.task_set for each in figures.confidence] == ["all", "prompts", "workflows", "code", "sums"]
    assert {(each.task_set, each.target) for each in figures.length} == {
        (task_set, target)
        for task_set in ("all", "prompts", "workflows", "workflows at stage 0", "code", "sums")
        for target in ("stage", "remaining")
    }


def test_training_twice_gives_the_same_bytes(bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """Bundles can be compared by digest."""
    train(small_recordings, tmp_path / "again", held_out_share=0.3)

    for name in (MANIFEST, *GRAPHS):
        assert (tmp_path / "again" / name).read_bytes() == (bundle / name).read_bytes()


def test_every_step_is_announced_in_order(small_recordings: Path, tmp_path: Path) -> None:
    """A progress bar can follow."""
    steps: list[str] = []

    train(small_recordings, tmp_path / "bundle", on_step=steps.append)

    assert tuple(steps) == STEPS


def test_without_a_share_the_bundle_learns_from_every_task(
    bundle: Path, small_recordings: Path, tmp_path: Path
) -> None:
    """Its figures stay those of an earlier fit, on tasks that this one had not seen."""
    everything = train(small_recordings, tmp_path / "bundle")

    held = decode((bundle / MANIFEST).read_bytes())
    assert (everything.training.held_out_share, everything.training.tasks) == (0.0, 120)
    assert (held.training.held_out_share, held.figures.held_out_share) == (0.3, 0.3)
    assert everything.figures == held.figures
    assert everything.models != held.models


@pytest.mark.parametrize("share", [1e-9, 1.0])
def test_a_share_that_leaves_a_side_empty_is_refused(small_recordings: Path, tmp_path: Path, share: float) -> None:
    """There would be nothing to fit or to measure."""
    with pytest.raises(DataError, match="there must be tasks on both sides"):
        train(small_recordings, tmp_path / "bundle", held_out_share=share)


def test_a_target_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    """Not after half a minute of fitting."""
    (tmp_path / "notes.txt").touch()
    steps: list[str] = []

    with pytest.raises(ExportError):
        train(recorded_folder(), tmp_path, on_step=steps.append)

    assert steps == []


def test_missing_data_is_refused_by_name(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(DataError, match=r"prompt_outcomes\.parquet: the file is missing"):
        train(tmp_path, tmp_path / "bundle")


def test_the_default_bundle_was_trained_on_the_data_in_the_package(default: Path) -> None:
    """Data and bundle change together: `make bundle` trains it anew."""
    training = decode((default / MANIFEST).read_bytes()).training

    for name, sha256 in training.files.items():
        assert hashlib.sha256((recorded_folder() / name).read_bytes()).hexdigest() == sha256


def test_the_default_bundle_has_not_seen_what_the_demo_replays(default: Path) -> None:
    """It is made with `--held-out 0.3`, the share that the demo's tasks come from."""
    assert decode((default / MANIFEST).read_bytes()).training.held_out_share == HELD_OUT_SHARE


def test_the_default_bundle_is_small(default: Path) -> None:
    """A wheel carries it."""
    assert sum(file.stat().st_size for file in default.iterdir()) < LARGEST_BUNDLE


def test_the_default_bundle_is_good_on_tasks_it_has_not_seen(default: Path) -> None:
    """Its own figures: it ranks, it is calibrated, it beats constants, its quantiles cover."""
    figures = decode((default / MANIFEST).read_bytes()).figures
    confidence = {each.task_set: each for each in figures.confidence}
    length = {(each.task_set, each.target): each for each in figures.length}

    for task_set in ("all", "workflows"):
        assert (confidence[task_set].auc or 0) > LOWEST_AUC
        assert confidence[task_set].calibration_error < LARGEST_CALIBRATION_ERROR
        assert confidence[task_set].brier < confidence[task_set].brier_constant - 0.015
    assert (length["workflows", "remaining"].spearman or 0) > LOWEST_AUC
    assert length["all", "remaining"].coverage == pytest.approx(0.9, abs=0.02)
