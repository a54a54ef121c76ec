"""Row 15: bodies that no engine would take, or that two programs would read differently."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Ground, Site, ground
from chimera_bench.chaos.probe import BODY, Answer, probe
from chimera_bench.load import http1, processes
from chimera_bench.load.figures import quantile
from chimera_bench.load.prompts import CHAT

CAP = 1 << 20  # bytes of a body; less than the default, so that it is passed in a moment
_DEEP = 100_000  # levels
_SWIFT = 0.005  # seconds
_TRIES = 5  # of the series for each body: the best of them counts, since what else the machine does only adds
_GROWTH = 0.05  # share by which memory may grow over all of them
_WARM = 3  # of each, before memory is read: the first large bodies make room for themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A request that has to be refused.

    Attributes:
        request: As it is sent.
        status: That it has to get.
        ahead: What is sent of it beforehand, which is still within the rules.
    """

    request: bytes
    status: int = 400
    ahead: bytes = b""


def _chat(body: bytes, headers: str = "") -> Malformed:
    return Malformed(request=http1.request("POST", CHAT, body, headers=headers))


def _with(**fields: object) -> Malformed:
    return _chat(json.dumps(json.loads(BODY) | fields).encode())


def _nested(opened: bytes, closed: bytes) -> Malformed:
    return _chat(BODY[:-1] + b', "metadata": ' + opened * _DEEP + b"1" + closed * _DEEP + b"}")


def _announced() -> Malformed:
    return Malformed(request=http1.head("POST", CHAT, 2 * CAP) + BODY, status=413)


def _passing() -> Malformed:
    """Return a body that nobody has announced, and of which the last kilobytes pass the cap."""
    head = http1.head("POST", CHAT, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    allowed = http1.chunk(BODY[:-1] + b" " * (CAP - 1000))
    return Malformed(request=http1.chunk(b" " * 2000), status=413, ahead=head + allowed)


BODIES: Mapping[str, Malformed] = {
    "over the cap, as the length says": _announced(),
    "over the cap, in chunks": _passing(),
    "gzip": _chat(gzip.compress(BODY), "content-encoding: gzip\r\n"),
    f"{_DEEP} levels of arrays": _nested(b"[", b"]"),
    f"{_DEEP} levels of objects": _nested(b'{"a":', b"}"),
    "NaN": _chat(BODY[:-1] + b', "temperature": NaN}'),
    "UTF-16": _chat(BODY.decode().encode("utf-16")),
    "a byte order mark": _chat(b"\xef\xbb\xbf" + BODY),
    "not UTF-8": _chat(BODY.replace(b"What", b"\xff\xfe")),
    "truncated": _chat(BODY[: len(BODY) // 2]),
    "0 bytes": _chat(b""),
    "no object": _chat(b"[1, 2]"),
    "a number for the model": _with(model=5),
    "a text for the messages": _with(messages="hi"),
    "an object for n": _with(n={}),
}


async def malformed(*, bodies: Mapping[str, Malformed] = BODIES, times: int = 100) -> list[Finding]:
    """Send each of the bodies so many times, several times over."""
    async with ground(Site(config={"limits": {"maxBodyBytes": CAP}})) as pool:
        picker = pool.pickers[0]
        for sent in bodies.values():
            await _series(pool, sent, _WARM)
        before = processes.resident_bytes(picker.pid)
        answers = {name: [await _series(pool, sent, times) for _ in range(_TRIES)] for name, sent in bodies.items()}
        await picker.settle()
        growth = processes.resident_bytes(picker.pid) / before - 1.0
        serves = (await probe(pool.port)).status == 200 and not picker.ended
    found = [_finding(f"15{chr(ord('a') + n)}", name, bodies[name], answers[name]) for n, name in enumerate(bodies)]
    return [*found, *_health(growth, serves=serves, requests=_TRIES * times * len(bodies))]


async def _series(pool: Ground, sent: Malformed, times: int) -> list[Answer]:
    return [await probe(pool.port, sent.request, ahead=sent.ahead) for _ in range(times)]


def _finding(row: str, name: str, sent: Malformed, series: Sequence[Sequence[Answer]]) -> Finding:
    statuses = sorted({answer.status for answers in series for answer in answers})
    at = {share: min(quantile([a.seconds for a in answers], share) for answers in series) for share in (0.5, 0.99)}
    return Finding(
        row=row,
        fault=f"bodies: {name}",
        rule=f"{sent.status} within {_SWIFT * 1e3:g} ms at p99, Envoy included",
        figure=f"{', '.join(map(str, statuses))}; p50 {at[0.5] * 1e3:.1f} ms, p99 {at[0.99] * 1e3:.1f} ms",
        passed=statuses == [sent.status] and at[0.99] < _SWIFT,
    )


def _health(growth: float, *, serves: bool, requests: int) -> list[Finding]:
    fault = f"all {requests} of them"
    return [
        Finding(
            row="15p",
            fault=fault,
            rule=f"the picker's memory grows by less than {_GROWTH:.0%}",
            figure=f"{growth:+.1%}",
            passed=growth < _GROWTH,
        ),
        Finding(row="15", fault=fault, rule="the picker serves on", figure="yes" if serves else "no", passed=serves),
    ]
