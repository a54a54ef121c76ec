"""Any page of metrics is a load that can be, or not believed."""

import math

from drawing import Draw

from chimera_router.engines.page import MAX_REQUESTS, read
from chimera_router.engines.profiles import PROFILES
from chimera_router.engines.types import Outcome

_PROFILES = tuple(PROFILES[name] for name in sorted(PROFILES))


def run(data: bytes) -> None:
    draw = Draw(data)
    found = read(draw.rest(), draw.choice(_PROFILES)) if draw.byte() % 2 else read(_built(draw), _PROFILES[0])
    if isinstance(found, Outcome):
        return
    assert 0 <= found.running <= MAX_REQUESTS
    assert 0 <= found.waiting <= MAX_REQUESTS
    assert 0.0 <= found.kv_usage <= 1.0
    assert found.pulse is None or math.isfinite(found.pulse)


def _built(draw: Draw) -> bytes:
    profile = _PROFILES[0]
    names = [name for group in (profile.running, profile.waiting, profile.kv_usage, profile.pulse) for name in group]
    lines = []
    while draw:
        labels = draw.choice((b"", b'{model="a"}', b'{a="} 5"}', b"{"))
        value = draw.choice((b"0", b"1.5", b"-1", b"NaN", b"+Inf", b"1e400", b"", b"1 2", b"0x5"))
        lines.append(draw.choice(names) + labels + draw.choice((b" ", b"\t", b"")) + value)
    return b"\n".join(lines)
