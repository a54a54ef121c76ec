"""Joined encoders, their fitting, and the bundles that come of them."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_transformers import KINDS, TEXTS, load_tiny, save_tiny

from chimera_training.bundle import GRAPHS, MANIFEST, TOKENIZER, decode, digest
from chimera_training.data import read_prompt_outcomes, recorded_folder
from chimera_training.encoder import OPSET, Encoder, JoinedEncoder, WeightsError
from chimera_training.encoders import MINILM, MODERNBERT, EncoderChoice, fit_encoder, lessons, prepared
from chimera_training.examples import Examples
from chimera_training.export import TOLERANCE, ExportError, export_graphs
from chimera_training.features import normalise
from chimera_training.fitting import fit
from chimera_training.kernel import KernelEncoder
from chimera_training.length import LengthModel, applications, call_rows
from chimera_training.pipeline import train
from chimera_training.reading import TextHeads
from chimera_training.text_graph import run, text_graph
from chimera_training.tfidf import fit_tfidf
from chimera_training.transformer_encoder import TransformerEncoder
from chimera_training.transformer_graph import in_eight_bits, transformer_graph
from chimera_training.weights import load, minilm

# Named by its class: tests of missing packages leave the package's attribute at another copy of the module.
HOME = sys.modules[TransformerEncoder.__module__]
CHOOSING = sys.modules[EncoderChoice.__module__]
LOAD = CHOOSING._load

ODD = ["", "   ", "\x00 sort", "naïve sørt list", "😀" * 3000, "sort " * 4000]


@pytest.fixture(scope="module", params=KINDS)
def transformer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TransformerEncoder:
    model, tokens = load_tiny(tmp_path_factory.mktemp(request.param), request.param)
    return TransformerEncoder(kind=request.param, model=model, tokens=tokens, int8=True)


@pytest.fixture(scope="module")
def joined(transformer: TransformerEncoder) -> JoinedEncoder:
    return JoinedEncoder("both", (fit_tfidf(TEXTS), transformer))


Lengths = tuple[LengthModel, np.typing.NDArray[np.float32]]


@pytest.fixture(scope="module")
def lengths(small_examples: Examples) -> Lengths:
    fitted, calls = fit(small_examples, everything(small_examples)), small_examples.calls
    known = applications(small_examples, calls)
    return fitted.lengths, call_rows(
        small_examples, calls, fitted.length_readings, fitted.lengths.learned, application=known
    )


def heads_for(encoder: Encoder) -> TextHeads:
    width = encoder.encode(["x"]).shape[1]
    return TextHeads(np.random.default_rng(0).normal(size=(width, 3)), np.zeros(3))


def everything(examples: Examples) -> np.typing.NDArray[np.bool_]:
    return np.ones(len(examples.tasks.ids), dtype=np.bool_)


def test_a_joined_vector_is_its_parts_side_by_side(joined: JoinedEncoder) -> None:
    """In order."""
    words, transformer = joined.parts

    vectors = joined.encode(TEXTS).toarray()

    assert vectors == pytest.approx(np.hstack([words.encode(TEXTS).toarray(), transformer.encode(TEXTS)]), abs=1e-7)


def test_texts_are_encoded_once(transformer: TransformerEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitting reads the same ones several times, at minutes each."""
    first = transformer.encode([TEXTS[0], TEXTS[1], TEXTS[0]])
    monkeypatch.setattr(HOME, "read", lambda *_: np.zeros((0, 16)))

    assert (transformer.encode([TEXTS[1], TEXTS[0], TEXTS[1]]) == first[[1, 0, 1]]).all()


@pytest.mark.parametrize("texts", [TEXTS, [normalise(text) for text in ODD]])
def test_the_text_graph_reads_like_joined_encoders(joined: JoinedEncoder, texts: list[str]) -> None:
    """Words and tokens of one text go into one graph, whatever the text."""
    heads = heads_for(joined)

    graph = text_graph(joined, heads).SerializeToString()

    assert run(graph, joined, texts) == pytest.approx(heads.read(joined.encode(texts)), abs=1e-4)


def test_a_transformer_alone_takes_no_words(transformer: TransformerEncoder) -> None:
    """What reads tokens only is given tokens only."""
    graph = text_graph(transformer, heads_for(transformer))

    assert {value.name for value in graph.graph.input} == {"input_ids", "attention_mask"}


def test_export_reports_what_rounding_changed(joined: JoinedEncoder, lengths: Lengths) -> None:
    """The graph in single precision must be exact; the one in 8 bits is the one written, its differences are told."""
    trees, rows = lengths

    exported = export_graphs(joined, heads_for(joined), trees, texts=TEXTS, rows=rows)

    assert set(exported.files) == {*GRAPHS, TOKENIZER}
    assert exported.files[TOKENIZER] == joined.tokens.content  # type: ignore[union-attr] # a transformer has them
    assert exported.rounding is not None
    assert exported.rounding.texts == len(TEXTS)
    assert 0 < exported.rounding.mean < exported.rounding.largest < 0.2
    assert exported.rounding.batch < 0.2
    assert set(exported.differences) == set(GRAPHS)
    assert max(exported.differences.values()) <= TOLERANCE


def test_a_transformer_that_exports_otherwise_is_never_written(
    transformer: TransformerEncoder, lengths: Lengths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where 8 bits are what is written in the end."""
    rounded = in_eight_bits(transformer_graph(transformer.model, opset=OPSET))
    monkeypatch.setattr(HOME, "transformer_graph", lambda *_, **__: rounded)
    trees, rows = lengths

    with pytest.raises(ExportError, match=r"text\.onnx: output `readings` differs"):
        export_graphs(transformer, heads_for(transformer), trees, texts=TEXTS, rows=rows)


def test_lessons_are_the_training_tasks(small_examples: Examples) -> None:
    """Who was right, as a share, NaN for who was not asked; and the difficulty, of the training answers alone."""
    training = everything(small_examples)
    training[::3] = False

    learned = lessons(small_examples, training)

    assert len(learned.texts) == training.sum()
    assert learned.success.shape == (training.sum(), len(small_examples.models))
    assert set(np.unique(learned.success)) == {0.0, 1.0}
    sums = learned.domain == small_examples.domains.index("sums")
    tricky = np.array(["tricky" in text for text in learned.texts])
    assert learned.difficulty[sums & tricky].mean() > learned.difficulty[sums & ~tricky].mean()
    assert (learned.weight > 0).all()
    assert (learned.weight <= 1).all()


def test_models_that_were_not_asked_have_no_success(small_examples: Examples) -> None:
    """NaN, not wrong."""
    outcomes = small_examples.outcomes
    few = outcomes.of(everything(small_examples))
    kept = np.arange(len(few.task)) % 3 == 0
    some = type(few)(task=few.task[kept], model=few.model[kept], success=few.success[kept])
    sparse = type(small_examples)(
        domains=small_examples.domains,
        models=small_examples.models,
        parameters_b=small_examples.parameters_b,
        tasks=small_examples.tasks,
        outcomes=some,
        calls=small_examples.calls,
    )

    learned = lessons(sparse, everything(small_examples))

    assert np.isnan(learned.success).sum() == learned.success.size - kept.sum()


@pytest.mark.parametrize(("kind", "tiny"), [(MINILM, "bert"), (MODERNBERT, "modernbert")])
def test_a_bundle_with_a_transformer_is_written_whole(
    kind: str, tiny: str, tmp_path: Path, small_recordings: Path
) -> None:
    """Fine-tuned, measured, exported; its tokenizer lies beside it, under a digest; progress is told."""
    out, told = tmp_path / "bundle", []
    weights = str(save_tiny(tmp_path / "weights", tiny))

    manifest = train(
        small_recordings,
        out,
        encoder=EncoderChoice(kind=kind, weights=weights, epochs=1),
        held_out_share=0.3,
        seeds=1,
        on_batch=lambda done, count: told.append((done, count)),
    )

    assert {entry.name for entry in out.iterdir()} == {MANIFEST, TOKENIZER, *GRAPHS}
    assert decode((out / MANIFEST).read_bytes()) == manifest
    assert manifest.features.encoder == kind
    assert manifest.features.token_limit > 0
    assert manifest.files[TOKENIZER] == digest((out / TOKENIZER).read_bytes())
    assert (manifest.rounding is not None) == (kind == MINILM)
    assert set(manifest.differences) == set(GRAPHS)
    assert manifest.figures.seeds == 1
    assert told[-1][0] == told[-1][1] > 0


def test_equal_data_gives_equal_bundles(tmp_path: Path, small_recordings: Path) -> None:
    """By seed: fine-tuning and rounding included."""
    choice = EncoderChoice(kind=MINILM, weights=str(save_tiny(tmp_path / "weights", "bert")), epochs=1)

    first, second = (train(small_recordings, tmp_path / name, encoder=choice, seeds=0).files for name in ("a", "b"))

    assert first == second


def test_no_epochs_leave_the_weights_alone(tmp_path: Path, small_examples: Examples) -> None:
    """A frozen encoder is what was loaded."""
    weights = str(save_tiny(tmp_path, "bert"))
    choice = EncoderChoice(kind=MINILM, weights=weights, epochs=0)

    fitted = fit_encoder(choice, small_examples, everything(small_examples))

    model, tokens = load(weights, limit=128)
    loaded = TransformerEncoder(kind=MINILM, model=model, tokens=tokens, int8=True)
    assert isinstance(fitted, JoinedEncoder)
    meaning = fitted.parts[-1]
    assert isinstance(meaning, KernelEncoder)
    assert (meaning.base.encode(TEXTS) == loaded.encode(TEXTS)).all()


def test_a_frozen_transformer_is_loaded_once(
    tmp_path: Path, small_recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many fits there are; one that is fine-tuned is another in each of them."""
    choice = EncoderChoice(kind=MINILM, weights=str(save_tiny(tmp_path / "weights", "bert")))
    tuned = replace(choice, epochs=1)
    loaded: list[EncoderChoice] = []
    monkeypatch.setattr(CHOOSING, "_load", lambda choice: loaded.append(choice) or LOAD(choice))

    train(small_recordings, tmp_path / "bundle", encoder=choice, seeds=1)  # and a fit on all tasks

    assert loaded == [choice]
    assert prepared(tuned) is tuned


def test_a_frozen_transformer_without_weights_is_refused_before_any_fit(small_recordings: Path, tmp_path: Path) -> None:
    """Its fits need nothing but to be told where the weights are."""
    told: list[str] = []

    with pytest.raises(WeightsError):
        train(small_recordings, tmp_path / "out", encoder=EncoderChoice(kind=MODERNBERT), on_step=told.append)

    assert told == ["read"]


def test_modernbert_needs_weights(small_examples: Examples) -> None:
    """No package carries them."""
    with pytest.raises(WeightsError, match="the encoder `modernbert` comes without weights"):
        fit_encoder(EncoderChoice(kind=MODERNBERT), small_examples, everything(small_examples))


def test_without_the_extra_words_are_still_read(small_examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a transformer asks for its packages."""
    for module in ("chimera_training.weights", "chimera_training.finetune"):
        monkeypatch.setitem(sys.modules, module, None)

    assert fit_encoder(EncoderChoice(), small_examples, everything(small_examples)).kind == "tfidf"
    with pytest.raises(ModuleNotFoundError):
        fit_encoder(EncoderChoice(kind=MINILM), small_examples, everything(small_examples))


def test_minilm_exports_as_it_reads() -> None:
    """The real weights on real texts, long ones among them: single precision to 1e-4, 8 bits nearly parallel."""
    rows = read_prompt_outcomes(recorded_folder())
    texts = sorted({normalise(row.text) for row in rows[:: len(rows) // 12]}, key=len)
    model, tokens = load(minilm(), limit=128)
    encoder = TransformerEncoder(kind=MINILM, model=model, tokens=tokens, int8=True)
    heads = TextHeads(np.eye(384)[:, :8], np.zeros(8))  # the last of them is read as it is
    promised = heads.read(encoder.encode(texts))

    exact = run(text_graph(encoder, heads).SerializeToString(), encoder, texts)
    rounded = run(text_graph(encoder, heads, int8=True).SerializeToString(), encoder, texts)

    assert len(tokens.numbers(texts[-1])) == 128
    assert np.linalg.norm(encoder.encode(texts), axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert np.abs(exact - promised).max() < 1e-4
    assert np.abs(rounded - promised).max() < 0.05
