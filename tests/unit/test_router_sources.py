"""Where settings and endpoints come from, and what happens when that changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from picker_processes import COEFFICIENTS
from scripted_apis import settled

from chimera_router import settings
from chimera_router.datalayer.api_server import ApiServer
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import ConfigError
from chimera_router.scheduling.ledger import Ledger
from chimera_router.settings import PoolSettings
from chimera_router.sources import Sources
from chimera_router.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class Followed:
    """Sources over files in a folder, outside of any cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = Metrics()
        self.datastore = Datastore(Ledger())
        self.sources = Sources(ApiServer(None, service_account=folder), self.datastore, self.metrics)

    def lists(self, file: str, *names: str, model: str = "small") -> None:
        """Write a file of endpoints."""
        entries = [{"name": name, "address": f"10.0.0.{i + 1}:80", "model": model} for i, name in enumerate(names)]
        (self.folder / file).write_text(json.dumps({"endpoints": entries}))

    def settings(self, *models: str, discovery: dict[str, object] | None = None) -> PoolSettings:
        """Return settings that take their endpoints from `a.json`, unless told otherwise."""
        told = {
            "pool": "p",
            "models": [{"name": name, "coefficients": COEFFICIENTS} for name in models or ("small",)],
            "discovery": discovery or {"file": {"path": "a.json"}},
        }
        return settings.parse(json.dumps(told), base=self.folder)

    @property
    def names(self) -> list[str]:
        return [endpoint.name for endpoint in self.datastore.endpoints]

    def refused(self) -> bool:
        return b'chimera_config_reloads_total{file="endpoints",result="refused"} 1.0' in self.metrics.page()

    async def become(self, *names: str) -> None:
        """Wait until these are the endpoints."""
        await until(lambda: self.names == list(names))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is a file that is waited for
            await asyncio.sleep(0.01)


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    """Yield sources that follow the endpoints of `a.json`."""
    made = Followed(tmp_path)
    made.lists("a.json", "a")
    (await made.sources.prepare(made.settings()))()
    following = asyncio.ensure_future(made.sources.run())
    yield made
    following.cancel()
    await asyncio.wait((following,))
    assert following.cancelled(), "it ended by itself"


async def test_file_is_followed(followed: Followed) -> None:
    """A file that changes is read again; one that breaks a rule changes nothing, and both are counted."""
    assert (followed.names, followed.sources.synced) == (["a"], True)
    await settled()

    followed.lists("a.json", "a", "b")
    await followed.become("a", "b")
    followed.lists("a.json", "c", model="unknown")
    await until(followed.refused)

    assert followed.names == ["a", "b"]
    assert b'chimera_discovery_endpoints{state="endpoint"} 2.0' in followed.metrics.page()


async def test_nothing_changes_until_settings_are_taken(followed: Followed) -> None:
    """Endpoints of new models are read first, published when the settings are swapped, followed from then on."""
    followed.lists("a.json", "x", model="large")

    take = await followed.sources.prepare(followed.settings("large"))
    assert followed.names == ["a"]
    take()
    assert followed.names == ["x"]
    await settled()

    followed.lists("a.json", "x", "y", model="large")

    await followed.become("x", "y")


async def test_other_place_is_followed_from_then_on(followed: Followed) -> None:
    """Settings that name another file leave the old one alone, whatever becomes of that."""
    followed.lists("b.json", "b")
    (await followed.sources.prepare(followed.settings(discovery={"file": {"path": "b.json"}})))()
    assert followed.names == ["b"]
    await settled()

    followed.lists("a.json", "a", "stale")
    followed.lists("b.json", "b", "new")

    await followed.become("b", "new")


@pytest.mark.parametrize(
    ("discovery", "rule"),
    [
        pytest.param({"file": {"path": "missing.json"}}, r"missing\.json: cannot be read", id="no file"),
        pytest.param(
            {"kubernetes": {"namespace": "n", "inferencePool": "p"}}, "no credentials of a Kubernetes", id="no cluster"
        ),
    ],
)
async def test_place_that_cannot_be_had_is_refused(followed: Followed, discovery: dict[str, object], rule: str) -> None:
    """Settings whose endpoints cannot be had are refused, and the old ones stay and are followed."""
    with pytest.raises(ConfigError, match=rule):
        await followed.sources.prepare(followed.settings(discovery=discovery))
    await settled()

    followed.lists("a.json", "a", "b")

    await followed.become("a", "b")


async def test_settings_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    """The first reading is what the file says now, each later one what it says then."""
    made = Followed(tmp_path)
    path = tmp_path / "router.json"
    readings = made.sources.readings(path)
    read = await anext(readings)
    with pytest.raises(ConfigError, match=r"router\.json: cannot be read"):
        read()

    again = asyncio.ensure_future(anext(readings))
    await settled()
    told = {"pool": "p", "models": [{"name": "m", "coefficients": COEFFICIENTS}], "discovery": {"file": {"path": "e"}}}
    path.write_text(json.dumps(told))

    assert list((await asyncio.wait_for(again, 10))().models) == ["m"]
    await readings.aclose()
