"""From `spec.picker` to the picker's command line, and the files that it names."""

from collections.abc import Iterator

from chimera_operator.api.picker import Management, Picker, PickerTls, SharedWorkflows
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import fittings
from chimera_operator.rendering.encryption import Encryption
from chimera_operator.rendering.fittings import Fittings
from chimera_operator.rendering.flags import Flag
from chimera_operator.rendering.manifest import namespace
from chimera_operator.rendering.picker.names import EXT_PROC, FEEDBACK, MANAGEMENT, picker_name

STATE = "/var/lib/chimera/state"
SECRETS = "/etc/chimera"

_AUTH = {"Kubernetes": "kubernetes", "Token": "token-file", "None": "none"}

Part = tuple[tuple[Flag, ...], Fittings]
"""Flags, and what the container needs for them."""


def picker_parts(pool: HeterogeneousModelPool, *, tls: Encryption) -> Iterator[Part]:
    """Yield the picker's arguments with what they need.

    Args:
        pool: The pool.
        tls: How ext_proc is served.
    """
    picker = pool.spec.picker
    yield _where(pool), fittings.mounted({"name": "state", "emptyDir": {}}, STATE, writable=True)
    yield _how(picker), fittings.NOTHING
    yield from _tls(picker.tls, tls)
    yield from _management(picker.management)
    if picker.shared_workflows:
        yield _sharing(picker.shared_workflows)
    if ref := picker.cache_salt_secret_ref:
        folder = f"{SECRETS}/cache-salt"
        salt = fittings.secret_file("cache-salt", ref, folder=folder, file="key")
        yield (("--cache-salt-key", f"{folder}/key"),), salt


def longest_drain(pool: HeterogeneousModelPool) -> int:
    """Return the seconds that streams get at the end: those of the model whose requests get longest."""
    return max(model.rollout.drain_seconds for model in pool.spec.models)


def _where(pool: HeterogeneousModelPool) -> tuple[Flag, ...]:
    return (
        ("--config-map", f"{namespace(pool)}/{picker_name(pool)}"),
        ("--grpc-port", str(EXT_PROC)),
        ("--management-port", str(MANAGEMENT)),
        ("--feedback-port", str(FEEDBACK)),
        ("--state-path", STATE),
        ("--drain", str(longest_drain(pool))),
    )


def _how(picker: Picker) -> tuple[Flag, ...]:
    return (("--log-level", picker.log_level.lower()), ("--transport", picker.transport.lower()))


def _tls(told: PickerTls, tls: Encryption) -> Iterator[Part]:
    if tls == "Plaintext":
        yield (("--insecure",),), fittings.NOTHING
    if told.secret_ref:
        folder = f"{SECRETS}/tls"
        volume = {"name": "tls", "secret": {"secretName": told.secret_ref.name}}
        yield (("--cert-path", folder),), fittings.mounted(volume, folder)
    if told.client_ca_secret_ref:
        folder = f"{SECRETS}/client-ca"
        authorities = fittings.secret_file("client-ca", told.client_ca_secret_ref, folder=folder, file="ca.crt")
        yield (("--client-ca", f"{folder}/ca.crt"),), authorities


def _management(management: Management) -> Iterator[Part]:
    yield (("--management-auth", _AUTH[management.auth]),), fittings.NOTHING
    if management.token_secret_ref:
        folder = f"{SECRETS}/tokens"
        tokens = fittings.secret_file("tokens", management.token_secret_ref, folder=folder, file="tokens")
        yield (("--management-token-file", f"{folder}/tokens"),), tokens
    if management.open_metrics:
        yield (("--no-metrics-endpoint-auth",),), fittings.NOTHING
    if management.tls:
        yield (("--management-tls",),), fittings.NOTHING


def _sharing(shared: SharedWorkflows) -> Part:
    seconds = shared.lookup_milliseconds / 1000
    flags = (("--shared-workflows", shared.url), ("--shared-workflows-deadline", str(seconds)))
    folder, parts = f"{SECRETS}/workflows", []
    names = {"secret": ("CHIMERA_WORKFLOW_SECRET_FILE", shared.secret_ref)}
    if shared.password_secret_ref:
        names["password"] = ("CHIMERA_REDIS_PASSWORD_FILE", shared.password_secret_ref)
    for name, (variable, ref) in names.items():
        parts.append(Fittings(env=fittings.variables([(variable, f"{folder}/{name}/{name}")])))
        parts.append(fittings.secret_file(f"workflows-{name}", ref, folder=f"{folder}/{name}", file=name))
    return flags, fittings.together(parts)
