import json
from typing import Any

import numpy as np
import pytest
from manifests import manifest

from chimera_training.bundle import FORMAT_VERSION, ManifestError, decode, encode
from chimera_training.encodings import MEASURED, STAGES, UNKNOWN


def _edited(**changes: Any) -> bytes:
    return json.dumps(json.loads(encode(manifest())) | changes).encode()


APPLICATION = json.loads(encode(manifest()))["applications"][0]


def test_applications_are_found_by_name() -> None:
    """One that the bundle does not have is the one that is not known."""
    assert manifest().application("sums") == 1
    assert manifest().application("new") == UNKNOWN


def test_encodings_are_those_of_the_applications_and_models() -> None:
    """Levels by application and stage, effects by application and model."""
    written = manifest()

    encodings = written.encodings(np.array([model.effects for model in written.models]))

    assert encodings.levels.shape == (2, STAGES, len(MEASURED))
    assert encodings.effects.shape == (2, 2, len(MEASURED))
    assert encodings.effects[1, 0].tolist() == [0.5, 0.5, 0.5, 0.5]


def test_a_manifest_reads_back_as_written() -> None:
    """Encoding loses nothing."""
    assert decode(encode(manifest())) == manifest()


def test_equal_manifests_give_equal_bytes() -> None:
    """The digest of bundle.json names the bundle."""
    assert encode(manifest()) == encode(manifest())


def test_lengths_are_of_boosted_trees_unless_it_says_otherwise() -> None:
    """The default may be left out; a learner that there is none of is refused."""
    written = json.loads(encode(manifest()))["training"]
    without = {name: value for name, value in written.items() if name != "lengths"}

    assert decode(_edited(training=without)) == manifest()
    assert decode(_edited(training=written | {"lengths": "forest"})).training.lengths == "forest"
    with pytest.raises(ManifestError, match="lengths"):
        decode(_edited(training=written | {"lengths": "oracle"}))


@pytest.mark.parametrize(("version", "age"), [(FORMAT_VERSION + 1, "a newer"), (FORMAT_VERSION - 1, "an older")])
def test_another_format_version_is_refused_naming_both(version: int, age: str) -> None:
    """Newer and older alike: the text says which version was found and which is read."""
    with pytest.raises(
        ManifestError, match=f"format version {version} is of {age} program, this one reads {FORMAT_VERSION}"
    ):
        decode(_edited(format_version=version))


def test_another_format_version_is_told_even_if_nothing_else_fits() -> None:
    """The version is read before the rest, which may look quite different."""
    with pytest.raises(ManifestError, match="format version 99"):
        decode(b'{"format_version": 99, "everything": "else"}')


@pytest.mark.parametrize("text", [b"", b"not json", b"[]", b'{"format_version": "1"}', b"\xff", b"{"])
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    """Any bytes end in the one error of this module."""
    with pytest.raises(ManifestError):
        decode(text)


def test_an_unknown_field_is_refused_by_name() -> None:
    """A field that this version does not know might change the meaning of the rest."""
    with pytest.raises(ManifestError, match="surprise"):
        decode(_edited(surprise=1))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("models", [], "at least one model"),
        ("files", {}, "`files` must name"),
        ("readings", ["domain:other", "latent", "difficulty"], "`features.length`"),
        (
            "readings",
            ["difficulty"],
            r"'Big-70B-Chat': `head` must have one number for each of the 1 `readings`, but has 3",
        ),
        ("readings", ["difficulty", "difficulty", "domain:code"], "none twice"),
        ("readings", [], "at least one"),
        ("applications", [], "must begin with the empty name"),
        ("applications", [APPLICATION | {"name": "sums"}], "must begin with the empty name"),
        ("applications", [APPLICATION, APPLICATION], "no name twice"),
        ("applications", [APPLICATION | {"levels": [[1.0]]}], "`levels` must be 8 rows of 4 numbers"),
        ("applications", [APPLICATION], r"'Big-70B-Chat': `effects` must be 1 rows of 4 numbers"),
        ("files", {"text.onnx": "abc"}, "files"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(field: str, value: object, rule: str) -> None:
    """The text names the field and the rule."""
    with pytest.raises(ManifestError, match=rule):
        decode(_edited(**{field: value}))


def test_a_model_named_twice_is_refused() -> None:
    """Models are found by name."""
    models = json.loads(encode(manifest()))["models"]

    with pytest.raises(ManifestError, match="no name twice"):
        decode(_edited(models=[models[0], models[0]]))
