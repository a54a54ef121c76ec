import hashlib
import json
from pathlib import Path

import pytest

from chimera_training.bundle import GRAPHS, MANIFEST, TEXT, Figures, decode
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES, DataError, recorded_folder
from chimera_training.export import TOLERANCE, ExportError
from chimera_training.pipeline import SEEDS, steps, train
from chimera_training.split import HELD_OUT_SHARE
from chimera_training.unseen import OBSERVED_TASKS

# Measured when the default bundle was made, less what the noise of 142 held-out agent tasks allows.
LOWEST_AUC = 0.70
LARGEST_CALIBRATION_ERROR = 0.03
LARGEST_BUNDLE = 3 << 20  # bytes


@pytest.fixture(scope="module")
def bundle(small_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "bundle"
    train(small_recordings, out, held_out_share=0.3, seeds=2)
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

    assert [each.name for each in figures.confidence] == ["all", "prompts", "workflows", "code", "sums"]
    assert {(each.name, each.target) for each in figures.length} == {
        (task_set, target)
        for task_set in ("all", "prompts", "workflows", "workflows at stage 0", "code", "sums")
        for target in ("stage", "remaining")
    }


def test_training_twice_gives_the_same_bytes(bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """Bundles can be compared by digest."""
    train(small_recordings, tmp_path / "again", held_out_share=0.3, seeds=2)

    for name in (MANIFEST, *GRAPHS):
        assert (tmp_path / "again" / name).read_bytes() == (bundle / name).read_bytes()


def test_the_manifest_says_what_fitted_the_lengths(bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """Boosted trees unless a forest is asked for; nothing else of the bundle's contract differs."""
    forest = train(small_recordings, tmp_path / "forest", held_out_share=0.3, seeds=2, learner="forest")

    boosted = decode((bundle / MANIFEST).read_bytes())
    assert (boosted.training.lengths, forest.training.lengths) == ("boosted", "forest")
    assert decode((tmp_path / "forest" / MANIFEST).read_bytes()) == forest
    assert forest.figures.confidence == boosted.figures.confidence
    assert forest.files[TEXT] == boosted.files[TEXT]
    assert all(forest.files[name] != boosted.files[name] for name in GRAPHS if name != TEXT)


@pytest.mark.parametrize(("seeds", "share"), [(0, 0.3), (1, 0.0)])
def test_every_step_is_announced_in_order(small_recordings: Path, tmp_path: Path, seeds: int, share: float) -> None:
    """A progress bar can follow; a fit that is the bundle's own is not made twice."""
    told: list[str] = []

    train(small_recordings, tmp_path / "bundle", seeds=seeds, held_out_share=share, on_step=told.append)

    assert tuple(told) == steps(seeds, share)
    assert sum(step.startswith("fit") for step in told) == max(seeds, 1) + (seeds > 0 and not share)


def test_figures_come_from_fits_of_several_splits(bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """The interval widens, the bundle stays: it is the fit of the first split."""
    one = train(small_recordings, tmp_path / "bundle", held_out_share=0.3, seeds=1)
    two = decode((bundle / MANIFEST).read_bytes())

    assert (one.figures.seeds, two.figures.seeds) == (1, 2)
    assert one.figures != two.figures
    assert (one.models, one.files) == (two.models, two.files)


def test_without_seeds_nothing_is_measured(bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """The bundle is the same, and says that it has no figures."""
    unmeasured = train(small_recordings, tmp_path / "bundle", held_out_share=0.3, seeds=0)

    assert unmeasured.figures == Figures(
        seeds=0, held_out_share=0.3, confidence=(), pools=(), unseen_models=(), length=()
    )
    assert unmeasured.files == decode((bundle / MANIFEST).read_bytes()).files


def test_pools_are_measured_too(small_recordings: Path, tmp_path: Path) -> None:
    """On tasks that all of a pool's models answered; with too few of them no model is taken for an unseen one."""
    models = ["Small-7B-Chat", "Big-70B-Chat"]
    pools = tmp_path / "pools.json"
    pools.write_text(json.dumps([{"name": "mix", "task_sets": ["sums", "code"], "models": models}]))

    figures = train(small_recordings, tmp_path / "bundle", held_out_share=0.5, seeds=1, pools=pools).figures

    (mix,), (unseen,) = figures.pools, figures.unseen_models
    assert (mix.name, unseen.name) == ("mix", "mix")
    assert (mix.outcomes, unseen.outcomes) == (2 * mix.tasks, 2 * unseen.tasks)
    assert unseen.tasks == mix.tasks - OBSERVED_TASKS


def test_a_pool_of_unknown_models_is_refused_before_any_fit(small_recordings: Path, tmp_path: Path) -> None:
    """Not after the first of five fits."""
    pools = tmp_path / "pools.json"
    pools.write_text(json.dumps([{"name": "mix", "task_sets": ["sums"], "models": ["unknown"]}]))
    told: list[str] = []

    with pytest.raises(DataError, match="pool mix: model 'unknown'"):
        train(small_recordings, tmp_path / "bundle", pools=pools, on_step=told.append)
    assert told == ["read"]


def test_the_manifest_says_how_close_the_graphs_are_to_their_sources(bundle: Path) -> None:
    """Each was compared when it was exported."""
    differences = decode((bundle / MANIFEST).read_bytes()).differences

    assert set(differences) == set(GRAPHS)
    assert 0 < max(differences.values()) <= TOLERANCE


def test_without_a_share_the_bundle_learns_from_every_task(
    bundle: Path, small_recordings: Path, tmp_path: Path
) -> None:
    """Its figures stay those of earlier fits, on tasks that these had not seen."""
    everything = train(small_recordings, tmp_path / "bundle", seeds=2)

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
    confidence = {each.name: each for each in figures.confidence}
    length = {(each.name, each.target): each for each in figures.length}

    assert figures.seeds == SEEDS
    for task_set in ("all", "workflows"):
        auc, brier = confidence[task_set].auc, confidence[task_set].brier
        assert auc is not None
        assert auc.value > LOWEST_AUC
        assert confidence[task_set].calibration_error < LARGEST_CALIBRATION_ERROR
        assert brier.value < confidence[task_set].brier_constant - 0.015
    spearman, coverage = length["workflows", "remaining"].spearman, length["all", "remaining"].coverage
    assert spearman is not None
    assert coverage is not None
    assert spearman.low > LOWEST_AUC
    assert coverage.value == pytest.approx(0.9, abs=0.02)
