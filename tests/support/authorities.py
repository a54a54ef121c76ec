"""Certificates for tests: authorities that sign for servers and clients, and what each looks like on disk."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path) -> Path:
        """Write both where a Secret of type kubernetes.io/tls has them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tls.crt").write_bytes(self.certificate)
        (folder / "tls.key").write_bytes(self.key)
        return folder


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = _built(self._name, self._name, self._key, ca=True).sign(self._key, hashes.SHA256())
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)

    def sign(
        self,
        name: str = "localhost",
        *,
        key: PrivateKey | None = None,
        begins: datetime = NOW - DAY,
        ends: datetime = NOW + DAY,
    ) -> Pair:
        """Return a certificate for a name and its key."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        builder = _built(_name(name), self._name, own, begins=begins, ends=ends)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), pem(own))


def pem(key: PrivateKey, *, password: bytes = b"") -> bytes:
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _built(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    *,
    ca: bool = False,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begins,
        not_valid_after=ends,
    )
    names = x509.SubjectAlternativeName(
        [x509.DNSName(str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value))]
    )
    return builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True).add_extension(
        names, critical=False
    )
