"""A certificate with its key, checked, and whose clients it lets in."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chimera_router.errors import ConfigError
from chimera_router.tls.contexts import server_context

VALIDITY = timedelta(days=3650)  # of a self-signed certificate; GIE's pickers take ten years too
_CLOCK_SKEW = timedelta(days=1)  # a gateway whose clock is behind must not find it not valid yet

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a server shows, and what it asks clients for.

    Attributes:
        certificate: PEM, the server's own first, then those that lead to its authority.
        key: PEM, unencrypted.
        authorities: PEM; clients must show a certificate that one of them signed. None asks for none.
        begins: Start of the certificate's validity.
        ends: Its end.
        fingerprint: SHA-256 of the certificate, in hexadecimal.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    authorities: bytes | None
    begins: datetime
    ends: datetime
    fingerprint: str


def parse(certificate: bytes, key: bytes, authorities: bytes | None = None) -> Material:
    """Return what a server needs from the files of a certificate, its key and its clients' authorities, all PEM.

    Raises:
        ConfigError: One of them is not what it should be, or certificate and key do not belong together.
    """
    leaf = _certificates(certificate, name="tls.crt")[0]
    if leaf.public_key() != _private_key(key).public_key():
        raise ConfigError("tls.crt and tls.key do not belong together")
    if authorities is not None:
        _certificates(authorities, name="client CA")
    try:
        server_context(certificate, key, authorities=authorities, protocol="h2")
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ConfigError("tls.crt, tls.key or client CA: OpenSSL refuses it, is the key too short?") from error
    return Material(
        certificate=certificate,
        key=key,
        authorities=authorities,
        begins=leaf.not_valid_before_utc,
        ends=leaf.not_valid_after_utc,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def self_signed(names: Sequence[str], *, now: datetime) -> Material:
    """Return a new certificate of its own authority.

    P-256 rather than the RSA of 4096 bits that GIE's pickers take: it is made in under a millisecond where that takes a
    quarter of a second or more, and signs a handshake in a small part of the time.

    Args:
        names: Host names and addresses that it is for.
        now: When it is made.
    """
    key, subject = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chimera")]),
    )
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _CLOCK_SKEW,
        not_valid_after=now + VALIDITY,
    )
    for extension in (
        x509.SubjectAlternativeName([_general_name(name) for name in names]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    ):
        builder = builder.add_extension(extension, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    pem = serialization.Encoding.PEM
    return parse(
        builder.sign(key, hashes.SHA256()).public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificates(pem: bytes, *, name: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigError(f"{name}: must hold certificates as PEM") from error


def _private_key(pem: bytes) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ConfigError("tls.key: must not be encrypted") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError("tls.key: must hold a private key as PEM") from error
    if not isinstance(key, PrivateKey):
        raise ConfigError("tls.key: must be of RSA or ECDSA: Envoy and gRPC speak with no other")
    return key
