"""The text in a ConfigMap, over an API server that answers from a script."""

import asyncio

import pytest
from kubernetes_objects import bookmark, config_map, event, page
from scripted_apis import Answer, Failures, ScriptedApi, VirtualTime, watcher

from chimera_router.datalayer import config_map as followed
from chimera_router.errors import ApiFailure, ApiServerError

pytestmark = pytest.mark.anyio


async def texts(*script: Answer) -> list[str | None]:
    """Return what is yielded until the script is over."""
    time, seen = VirtualTime(), list[str | None]()
    api = ScriptedApi(time, configmaps=script)

    async def follow() -> None:
        async for text in followed.texts(
            watcher(api, Failures()), namespace="models", name="config", key="router.json"
        ):
            seen.append(text)

    following = asyncio.ensure_future(follow())
    while not api.over["configmaps"].is_set():
        await time.passes(1.0)
    following.cancel()
    await asyncio.wait((following,))
    assert api.calls[0] == ("list", "configmaps", {"fieldSelector": "metadata.name=config"})
    return seen


async def test_text_is_told_when_it_changes() -> None:
    """The text comes once, and again when it is another one; a word that changes nothing in it is no news."""
    changes = [
        event("MODIFIED", config_map(router_json="1", other="x")),
        bookmark(3),
        event("MODIFIED", config_map(router_json="2")),
    ]

    assert await texts(page(config_map(router_json="1")), changes) == ["1", "2"]


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(event("DELETED", config_map(router_json="1")), id="deleted"),
        pytest.param(event("MODIFIED", config_map(other="x")), id="without its key"),
        pytest.param(event("MODIFIED", {"metadata": {"name": "config"}}), id="without data"),
    ],
)
async def test_text_that_is_gone_is_told(gone: bytes) -> None:
    """A ConfigMap that has the key no more says so once, and what it says later is news."""
    back = event("MODIFIED", config_map(router_json="1"))

    assert await texts(page(config_map(router_json="1")), [gone, bookmark(3), back]) == ["1", None, "1"]


async def test_what_changed_during_an_outage_is_told() -> None:
    """After an outage the text is read again; where it is the same there is no news."""
    lost = ApiServerError(ApiFailure.EXPIRED)
    same, other = page(config_map(router_json="1")), page(config_map(router_json="2"))

    assert await texts(same, [lost], same, [lost], other, [bookmark(9)]) == ["1", "2"]
