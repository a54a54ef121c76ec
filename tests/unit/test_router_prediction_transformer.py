"""Bundles with a transformer, as the picker serves them."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pools import FAST
from recordings import MODELS, write_recordings
from tiny_transformers import TEXTS, save_tiny, tokenizer_json

from chimera_router.errors import BundleError
from chimera_router.prediction.bundle import Bundle, read_bundle
from chimera_router.prediction.compute import CPU_PROVIDER, CUDA_PROVIDER, Compute, Device
from chimera_router.prediction.onnx import Graphs
from chimera_router.prediction.port import Predictor, Query
from chimera_router.prediction.predictor import TRANSFORMER_DEADLINE, BundlePredictor, open_predictor
from chimera_router.scheduling.types import Model, PredictionSource
from chimera_training.bundle import MANIFEST, TEXT, TOKENIZER
from chimera_training.encoders import EncoderChoice
from chimera_training.features import normalise
from chimera_training.pipeline import train
from chimera_training.tokens import INPUT_IDS, Tokens

ODD = ["", "   ", "\ud800 half", "x" * (1 << 20), "sort a list " * 90_000, "\x00", "😀"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("transformer")
    choice = EncoderChoice(kind="minilm", weights=str(save_tiny(base / "weights", "bert")))
    train(write_recordings(base / "data"), base / "bundle", encoder=choice, held_out_share=0.3, seeds=0)
    return base / "bundle"


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return read_bundle(folder)


@pytest.fixture
async def predictor(folder: Path) -> AsyncIterator[Predictor]:
    opened = open_predictor(
        [Model(name=name, coefficients=FAST) for name in MODELS],
        path=folder,
        deadline=60.0,  # this machine is shared
        on_fallback=pytest.fail,
        on_refused=lambda error: pytest.fail(str(error)),
    )
    yield opened
    await opened.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("text", [TEXTS[0], *ODD], ids=range(len(ODD) + 1))
async def test_every_text_is_answered_from_the_bundle(predictor: Predictor, text: str) -> None:
    """In 8 bits; empty, a megabyte, half of a surrogate pair."""
    predictions = await predictor.predict(Query(text=text, prompt_tokens=10))

    assert predictions.source is PredictionSource.BUNDLE
    assert all(0.0 <= each.confidence <= 1.0 for each in predictions.by_model.values())


def test_the_picker_cuts_words_as_training_did(bundle: Bundle) -> None:
    """The tokenizer in the bundle is the one it was trained with."""
    served = Tokens(bundle.graphs[TOKENIZER], limit=bundle.manifest.features.token_limit)
    trained = Tokens(tokenizer_json(), limit=128)

    texts = [normalise(text) for text in [*TEXTS, *ODD]]

    assert (served.inputs(texts)[INPUT_IDS] == trained.inputs(texts)[INPUT_IDS]).all()


def test_a_batch_reads_nearly_like_its_texts_one_by_one(bundle: Bundle) -> None:
    """Activations are rounded by the largest of the batch, so not exactly."""
    graphs = Graphs(bundle)

    together = graphs.read(TEXTS[:16])

    assert np.abs(together - np.vstack([graphs.read([text]) for text in TEXTS[:16]])).max() < 0.1


def test_more_threads_read_the_same(bundle: Bundle) -> None:
    """To rounding."""
    one, two = (Graphs(bundle, Compute(device=Device.CPU, threads=count)).read(TEXTS[:4]) for count in (1, 2))

    assert one == pytest.approx(two, abs=1e-4)


def test_a_transformer_gets_a_longer_deadline(folder: Path) -> None:
    """Unless one is given."""
    models = [Model(name=name, coefficients=FAST) for name in MODELS]
    told = {"on_fallback": pytest.fail, "on_refused": pytest.fail}

    default, given = (
        open_predictor(models, path=folder, **told),
        open_predictor(models, path=folder, deadline=9.0, **told),
    )

    assert isinstance(default, BundlePredictor)
    assert isinstance(given, BundlePredictor)
    assert (default._deadline, given._deadline) == (TRANSFORMER_DEADLINE, 9.0)


@pytest.mark.parametrize(
    ("device", "available", "chosen"),
    [
        (Device.AUTO, [CPU_PROVIDER], [CPU_PROVIDER]),
        (Device.AUTO, [CUDA_PROVIDER, CPU_PROVIDER], [CUDA_PROVIDER, CPU_PROVIDER]),
        (Device.CPU, [CUDA_PROVIDER, CPU_PROVIDER], [CPU_PROVIDER]),
        (Device.CUDA, [CUDA_PROVIDER, CPU_PROVIDER], [CUDA_PROVIDER, CPU_PROVIDER]),
    ],
)
def test_a_graphics_card_is_taken_where_there_is_one(device: Device, available: list[str], chosen: list[str]) -> None:
    """And a processor stands in for what it cannot do."""
    assert Compute(device=device).providers(available) == chosen


def test_a_graphics_card_that_is_not_there_is_refused(bundle: Bundle) -> None:
    """Who asks for one by name does not want a processor."""
    with pytest.raises(BundleError, match=r"text\.onnx: onnxruntime finds no graphics card"):
        Graphs(bundle, Compute(device=Device.CUDA))


def test_a_tokenizer_that_was_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    """Its digest stands in the manifest."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / TOKENIZER).write_bytes(b"{}")

    with pytest.raises(BundleError, match=r"tokenizer\.json: its sha256 must be"):
        read_bundle(tmp_path)


def test_a_tokenizer_that_cannot_be_read_is_refused(bundle: Bundle) -> None:
    """The text names the file."""
    broken = replace(bundle, graphs={**bundle.graphs, TOKENIZER: b"{}"})

    with pytest.raises(BundleError, match=r"tokenizer\.json: the tokenizer cannot be read"):
        Graphs(broken)


def test_a_picker_without_tokenizers_says_so(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the package."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(BundleError, match="the package `tokenizers`, which is missing"):
        Graphs(bundle)


def _edited(folder: Path, target: Path, **features: object) -> Path:
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((target / MANIFEST).read_text())
    manifest["features"] |= features
    (target / MANIFEST).write_text(json.dumps(manifest))
    return target


def test_tokens_without_a_limit_are_refused(folder: Path, tmp_path: Path) -> None:
    """A bundle that takes no tokens has no tokenizer."""
    with pytest.raises(BundleError, match=r"`files` must name text\.onnx, .* and no other"):
        read_bundle(_edited(folder, tmp_path, token_limit=0))


def test_a_graph_that_takes_no_tokens_is_refused(bundle: Bundle) -> None:
    """The text names what a transformer's graph takes."""
    words = Path(sys.modules["chimera_router.prediction.bundle"].__file__ or "").parent / "bundles/default" / TEXT
    wrong = replace(bundle, graphs={**bundle.graphs, TEXT: words.read_bytes()})

    with pytest.raises(BundleError, match=r"its inputs must be `attention_mask` with any number of columns"):
        Graphs(wrong)
