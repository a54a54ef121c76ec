"""What is measured of a bundle is measured of one with a transformer too."""

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import write_recordings
from tiny_transformers import save_tiny
from typer.testing import CliRunner

from chimera_bench.probing.evidence import gather
from chimera_bench.probing.log import Answer
from chimera_bench.recorded_predictions import predict_examples, read_unseen_examples
from chimera_cli.app import app
from chimera_router.prediction.bundle import Bundle, read_bundle
from chimera_router.prediction.onnx import Graphs
from chimera_training.bundle import GRAPHS
from chimera_training.encoders import EncoderChoice
from chimera_training.pipeline import train
from chimera_training.probes.probe import read_probes

runner = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    base = tmp_path_factory.mktemp("transformer")
    choice = EncoderChoice(kind="minilm", weights=str(save_tiny(base / "weights", "bert")))
    train(data, base / "bundle", encoder=choice, held_out_share=0.3, seeds=0)
    return read_bundle(base / "bundle")


def test_it_is_measured_on_recorded_tasks(bundle: Bundle, data: Path) -> None:
    """Every task is read, every call predicted."""
    examples = read_unseen_examples(bundle.manifest, data)

    predicted = predict_examples(bundle, examples, on_done=lambda _: None)

    assert predicted.readings.shape == (len(examples.tasks.ids), len(bundle.manifest.readings))
    assert ((predicted.confidence > 0) & (predicted.confidence < 1)).all()
    assert predicted.tokens.shape == (3, len(examples.calls.task))


def test_it_is_calibrated(bundle: Bundle) -> None:
    """Probes are read in batches like the picker's."""
    probes = read_probes()[:40]
    known = {"right": True, "given": True, "cut": False, "simulated": False, "prompt_tokens": 9, "output_tokens": 9}
    answers = [Answer(model="asked", probe=probe.id, **known) for probe in probes]

    evidence = gather(Graphs(bundle), ["asked"], probes, answers)

    assert evidence.readings.shape == (40, len(bundle.manifest.readings))
    assert np.isfinite(evidence.readings).all()


def test_it_is_timed(bundle: Bundle) -> None:
    """By threads, which only a transformer takes; what 8 bits changed stands beside the other differences."""
    options = ["--bundle", str(bundle.folder), "--batch", "2", "--threads", "2", "--bursts", "2"]

    document = json.loads(runner.invoke(app, ["bench", "predict", *options, "--json"]).stdout)
    table = runner.invoke(app, ["bench", "predict", *options]).stdout

    (cost,) = document["microseconds_per_request"]
    assert (cost["encoder"], cost["threads"], cost["fallbacks"]) == ("minilm", 2, 0)
    assert set(document["largest_difference"][str(bundle.folder)]) == set(GRAPHS)
    assert 0 < document["largest_rounding"][str(bundle.folder)] < 0.5
    assert "text in 8 bits" in table
