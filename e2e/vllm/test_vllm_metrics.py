"""The picker reads the load of a real vLLM from its metrics page."""

import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_engines import Served, await_load, busy, chat

from chimera_operator.rendering.profiles.vllm_0_32 import PROFILE
from chimera_router.engines.profiles import PROFILES

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

NAMES = PROFILES[PROFILE.metrics]
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"


async def test_every_name_is_on_the_page(real: Served, http: aiohttp.ClientSession) -> None:
    """The first of each that the picker looks for: the others are for other versions."""
    wanted = (NAMES.running, NAMES.waiting, NAMES.kv_usage, NAMES.pulse)

    assert {names[0].decode() for names in wanted} <= await _names(http, real)


async def test_alerts_and_dashboards_ask_for_what_there_is(
    real: Served, simulated: Served, http: aiohttp.ClientSession
) -> None:
    """Of either engine: what vLLM does not say would never fire, and what the simulator does not could not be tried."""
    shipped = [*(MANIFESTS / "alerts").glob("*.yaml"), *(MANIFESTS / "dashboards").glob("*.json")]
    asked = {name for file in shipped for name in re.findall(r"vllm:\w+", file.read_text())}

    assert len(asked) > 3
    assert asked <= await _names(http, real)
    assert asked <= await _names(http, simulated)


async def test_an_idle_engine_says_so(real: Served, http: aiohttp.ClientSession) -> None:
    """Nothing runs, nothing waits."""
    found = await await_load(http, real.engines["less-tiny"], lambda reading: not reading.loaded)

    assert (found.running, found.waiting) == (0, 0)
    assert 0.0 <= found.kv_usage <= 1.0


async def test_load_is_read_as_it_is(real: Served, http: aiohttp.ClientSession) -> None:
    """Four slots, six clients: four run, two wait, the cache fills and the pulse beats; then nothing is left."""
    url = real.engines["tiny"]
    async with busy(http, url, chat("tiny", tokens=1000), clients=6):
        first = await await_load(http, url, lambda reading: (reading.running, reading.waiting) == (4, 2))
        await await_load(http, url, lambda reading: (reading.pulse or 0.0) > (first.pulse or 0.0))
    idle = await await_load(http, url, lambda reading: not reading.loaded)

    assert first.kv_usage > 0.0
    assert idle.running == idle.waiting == 0


async def _names(http: aiohttp.ClientSession, served: Served) -> set[str]:
    """Return the names of all samples on an engine's page."""
    async with http.get(f"{served.engines['tiny']}{NAMES.path}") as response:
        families = text_string_to_metric_families(await response.text())
        return {sample.name for family in families for sample in family.samples}
