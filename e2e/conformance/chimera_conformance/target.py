"""What the kit is told about the picker under test."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from chimera_conformance.case import DEFAULT, Profile
from chimera_conformance.verdicts import skip

_RULE = "an endpoint is ip:port, IPv6 in brackets"

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One model server: an address and a port."""

    ip: str
    port: int

    def __str__(self) -> str:
        """Return `ip:port`, IPv6 in brackets."""
        return f"[{self.ip}]:{self.port}" if self.is_ipv6 else f"{self.ip}:{self.port}"

    @property
    def is_ipv6(self) -> bool:
        """Whether the address is one of IPv6."""
        return isinstance(ip_address(self.ip), IPv6Address)

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Return the endpoint that `ip:port` names.

        Raises:
            ValueError: It names none; the text says the rule.
        """
        host, _, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        try:
            ip = ip_address(host[1:-1] if bracketed else host)
        except ValueError:
            raise ValueError(_RULE) from None
        if bracketed != (ip.version == 6) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(_RULE)
        return cls(str(ip), int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The picker under test, and how patient the kit is with it.

    Attributes:
        address: `host:port` of ext_proc.
        health: `host:port` of gRPC health; mostly the same.
        empty: `host:port` of a second picker that knows no endpoints; None where there is none.
        plaintext: Whether it speaks without TLS.
        profiles: What kind of picker it is set up to be.
        endpoints: All members of its pool.
        model: A name that clients may ask for.
        patience: Seconds that an answer may take before it counts as missing.
        body_cap: Bytes of a request's body that the picker has to refuse; over the cap it is configured with.
        tiny_pieces: Number of one-byte pieces in the case about them.
    """

    address: str
    endpoints: tuple[Endpoint, ...]
    model: str
    plaintext: bool = False
    profiles: frozenset[Profile] = DEFAULT
    health: str = ""
    empty: str | None = None
    patience: float = 5.0  # a picker with a queue or a predictor answers in milliseconds; this is for busy machines
    body_cap: int = 16 * 1024 * 1024  # a million tokens of text
    tiny_pieces: int = 100_000  # a slow upload, or an attack

    def first(self, count: int) -> tuple[Endpoint, ...]:
        """Return so many endpoints, or skip the case where the pool has fewer."""
        if len(self.endpoints) < count:
            skip(f"needs a pool of {count} endpoints")
        return self.endpoints[:count]


def parse_endpoints(texts: Iterable[str]) -> tuple[Endpoint, ...]:
    """Return the endpoints of a comma list.

    Raises:
        ValueError: An item is no `ip:port`.
    """
    return tuple(Endpoint.parse(item) for text in texts for item in text.split(",") if item.strip())


def split(address: str) -> tuple[str, int]:
    """Return host and port, the host without brackets."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
