"""Certificates, checked before they are served."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from authorities import Authority, Pair, pem
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from chimera_router.errors import ConfigError
from chimera_router.tls import material

CA = Authority("ca")
GOOD = CA.sign()
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def test_pair_is_taken_as_it_is() -> None:
    """What is served is what was read; the key is not shown."""
    found = material.parse(GOOD.certificate, GOOD.key, CA.certificate)

    assert (found.certificate, found.key, found.authorities) == (GOOD.certificate, GOOD.key, CA.certificate)
    assert found.begins < datetime.now(UTC) < found.ends
    assert "PRIVATE KEY" not in repr(found)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)], ids=["P-384", "RSA"]
)
def test_usual_keys_are_taken(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """ECDSA and RSA, as certificate issuers offer them."""
    pair = CA.sign(key=key)

    assert material.parse(pair.certificate, pair.key).key == pair.key


def test_chain_may_follow_the_certificate() -> None:
    """Certificates that lead to the authority may stand behind the server's own."""
    chain = GOOD.certificate + CA.certificate

    assert material.parse(chain, GOOD.key).certificate == chain


@pytest.mark.parametrize("text", [b"", b"canary", b"-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ("tls.crt: must hold certificates as PEM", lambda text: (text, GOOD.key)),
        ("tls.key: must hold a private key as PEM", lambda text: (GOOD.certificate, text)),
        ("client CA: must hold certificates as PEM", lambda text: (GOOD.certificate, GOOD.key, text)),
    ],
    ids=["certificate", "key", "client CA"],
)
def test_files_that_are_something_else_are_named(
    text: bytes, place: str, broken: Callable[[bytes], tuple[bytes, ...]]
) -> None:
    """The file and the rule are told, never what is in it."""
    with pytest.raises(ConfigError) as refused:
        material.parse(*broken(text))

    assert str(refused.value) == place


def sealed() -> Pair:
    return Pair(GOOD.certificate, pem(ec.generate_private_key(ec.SECP256R1()), password=b"canary"))


@pytest.mark.parametrize(
    ("pair", "rule"),
    [
        (lambda: Pair(GOOD.certificate, CA.sign().key), "do not belong together"),
        (sealed, "tls.key: must not be encrypted"),
        (lambda: CA.sign(key=ed25519.Ed25519PrivateKey.generate()), "tls.key: must be of RSA or ECDSA"),
        (lambda: CA.sign(key=SHORT), "is the key too short"),
    ],
    ids=["other key", "encrypted", "Ed25519", "short"],
)
def test_pairs_that_could_not_be_served_are_refused(pair: Callable[[], Pair], rule: str) -> None:
    """A pair that no gateway could speak with is refused before it replaces one that works."""
    found = pair()
    with pytest.raises(ConfigError, match=rule):
        material.parse(found.certificate, found.key)


def test_expired_certificate_is_taken() -> None:
    """One that is no longer valid is served all the same: gateways that do not verify go on, others say why."""
    pair = CA.sign(begins=MAY, ends=MAY + timedelta(days=1))

    assert material.parse(pair.certificate, pair.key).ends == MAY + timedelta(days=1)


def test_self_signed_certificate_is_for_its_names() -> None:
    """It names hosts and addresses, is valid for ten years and from the day before, and signs nothing."""
    made = material.self_signed(("localhost", "pod-1", "127.0.0.1", "::1"), now=MAY)

    certificate = x509.load_pem_x509_certificate(made.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "pod-1"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert (made.begins, made.ends) == (MAY - timedelta(days=1), MAY + timedelta(days=3650))
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.authorities is None


def test_every_start_has_a_key_of_its_own() -> None:
    """Two self-signed certificates share nothing."""
    first, second = (material.self_signed(("localhost",), now=MAY) for _ in range(2))

    assert first.key != second.key
    assert first.fingerprint != second.fingerprint
