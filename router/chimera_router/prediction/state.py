"""What online correction has learned, kept across restarts in one JSON file."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from chimera_router.errors import StateError
from chimera_router.prediction.applications import APPLICATIONS, CAP, Application, Applications, Mean
from chimera_router.prediction.correction import TENANTS, Correction, Corrections, Evidence, ModelCorrection

VERSION = 1
FILE = "corrections.json"

_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Size = Annotated[float, msgspec.Meta(ge=0.0, le=1e12)]  # far beyond any token count or time
_Digest = Annotated[str, msgspec.Meta(max_length=64)]
_MOST_LOG_TOKENS = 30.0  # e^30 tokens is no length either


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    weight: _Size
    expected: Annotated[float, msgspec.Meta(ge=-_MOST_LOG_TOKENS, le=_MOST_LOG_TOKENS)]
    seen: Annotated[float, msgspec.Meta(ge=-_MOST_LOG_TOKENS, le=_MOST_LOG_TOKENS)]
    at: _Size


class _JudgedRow(_Row, forbid_unknown_fields=True):
    expected: _Share
    seen: _Share


class _Model(msgspec.Struct, forbid_unknown_fields=True):
    length: dict[_Digest, _Row]
    confidence: dict[_Digest, _JudgedRow]


class _Mean(msgspec.Struct, forbid_unknown_fields=True):
    weight: _Size
    mean: Annotated[float, msgspec.Meta(ge=-_MOST_LOG_TOKENS, le=_MOST_LOG_TOKENS)]


class _Application(msgspec.Struct, forbid_unknown_fields=True):
    level: _Mean
    effects: dict[str, _Mean]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    models: dict[str, _Model]
    applications: dict[_Digest, dict[_Digest, _Application]] = {}


def write(folder: Path, data: bytes) -> None:
    """Replace the state in a folder by an encoded one, whole or not at all.

    Raises:
        StateError: The file cannot be written.
    """
    path = folder / FILE
    scratch = path.with_suffix(".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise StateError(f"{path}: cannot be written ({type(error).__name__})") from error


def load(folder: Path) -> Corrections:
    """Return what is kept in a folder; nothing learned where there is no file.

    Raises:
        StateError: The file cannot be read, is of another version or breaks a rule.
    """
    path = folder / FILE
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return Corrections()
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({type(error).__name__})") from error
    except StateError as error:
        raise StateError(f"{path}: {error}") from error


def encode(corrections: Corrections) -> bytes:
    """Return the state as JSON; tenants and applications are in it as digests only."""
    models = {
        name: {"length": dict(model.length.tenants), "confidence": dict(model.confidence.tenants)}
        for name, model in corrections.by_model.items()
    }
    # msgspec would write an OrderedDict in the order of insertion; which one was heard of last is to survive.
    applications = {tenant: dict(own) for tenant, own in corrections.applications.by_tenant.items()}
    return msgspec.json.encode({"version": VERSION, "models": models, "applications": applications})


def decode(data: bytes) -> Corrections:
    """Return the state in a file's bytes.

    Raises:
        StateError: It is of another version or breaks a rule.
    """
    try:
        version = msgspec.json.decode(data, type=_Versioned).version
        if version != VERSION:
            raise StateError(f"is of version {version}, this picker reads version {VERSION}")
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise StateError("is no state of online correction") from error
    corrections = Corrections()
    for name, model in document.models.items():
        corrections.by_model[name] = _restored(model)
    corrections.applications = Applications(
        OrderedDict((tenant, _own(saved)) for tenant, saved in list(document.applications.items())[-TENANTS:])
    )
    return corrections


class _Versioned(msgspec.Struct):
    version: int


def _restored(saved: _Model) -> ModelCorrection:
    model = ModelCorrection()
    _restore(model.length, saved.length)
    _restore(model.confidence, saved.confidence)
    return model


def _own(saved: Mapping[str, _Application]) -> OrderedDict[str, Application]:
    return OrderedDict(
        (fingerprint, Application(_mean(each.level), {model: _mean(row) for model, row in each.effects.items()}))
        for fingerprint, each in list(saved.items())[-APPLICATIONS:]
    )


def _mean(saved: _Mean) -> Mean:
    return Mean(min(saved.weight, CAP), saved.mean)


def _restore(correction: Correction, rows: Mapping[str, _Row]) -> None:
    correction.tenants = OrderedDict(
        (tenant, Evidence(min(row.weight, correction.terms.cap), row.expected, row.seen, row.at))
        for tenant, row in list(rows.items())[-TENANTS:]
    )
    correction.settle()
