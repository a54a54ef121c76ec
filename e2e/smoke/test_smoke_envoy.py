"""Envoy alone in front of a pool, by the manifest that users get, without Gateway API."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from served_pools import Served, model, pool
from steady_chats import Pace, chatting

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(300)

MANIFEST = Path(__file__).resolve().parents[2] / "manifests" / "standalone" / "envoy.yaml"
QUESTION = "What is 17 times 23?"


@pytest.fixture(scope="module")
def url(cluster: Cluster, release: str, image: Callable[[str], str]) -> Iterator[str]:
    """Give the address of an Envoy, of this machine's package, in front of the pool `simulated`."""
    assert release
    manifest = re.sub(r"image: docker\.io/envoyproxy/envoy:\S+", f"image: {image('envoy')}", MANIFEST.read_text())
    members = [model("small", score=0.5), model("large", score=0.9)]
    with cluster.space() as space:
        cluster.apply(pool("simulated", *members, gateway={"integration": "None"}), manifest, space=space)
        Served(cluster, space, "simulated").await_ready()
        cluster.await_rollout("deployment/simulated-gateway", space=space)
        with cluster.network.reach(space, "simulated-gateway", 80) as address:
            yield f"http://{address}"


def test_picker_chooses_behind_plain_envoy(url: str) -> None:
    """The picker's choice answers, over the TLS that it makes for itself."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=5) as client:
        create = client.chat.completions.with_raw_response.create
        raw = create(model="auto", messages=[{"role": "user", "content": QUESTION}], max_tokens=8)

    assert raw.headers["x-chimera-model"] == "large"
    assert raw.parse().choices[0].finish_reason in {"length", "stop"}


def test_client_cannot_name_a_destination(url: str) -> None:
    """A client's own destination header is not followed."""
    stolen = {"x-gateway-destination-endpoint": "127.0.0.1:9901"}
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", default_headers=stolen) as client:
        answer = client.chat.completions.create(
            model="small", messages=[{"role": "user", "content": QUESTION}], max_tokens=4
        )

    assert answer.model == "small"


def test_many_at_once_are_answered(url: str) -> None:
    """A hundred chats in five seconds, half of them streamed, get whole answers."""
    with chatting(Pace(url=url, rate=20, tokens=40)) as chats:
        time.sleep(5)

    assert chats.failures() == {}
    assert len(chats.ended) > 80
