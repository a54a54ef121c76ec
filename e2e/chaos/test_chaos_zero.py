"""A model that nobody asks for ends, and the first request for it wakes it and is answered."""

import sys
import time
from collections.abc import Iterator

import openai
import pytest
from served_pools import Served, applied, model, pool

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(400)

IDLE = 30  # seconds without a request
QUESTION = "What is 17 times 23?"


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """A pool whose only model sleeps when nobody asks for it."""
    assert (release, gateway_class) == ("chimera-system", "envoy")
    scaling = {"auto": {"maxReplicas": 2, "scaleToZero": {"idleSeconds": IDLE}}}
    document = pool("sleepers", model("small", scaling=scaling), routing={"flowControl": {"enabled": True}})
    with cluster.space() as space, applied(cluster, space, document) as made:
        yield made


def test_model_that_sleeps_is_woken_by_its_next_request(served: Served) -> None:
    """Engines go when nobody asks; a request waits for the first one to come back, and gets its answer."""
    asleep = served.await_status("to fall asleep", lambda _: served.model("small").get("phase") == "Idle", seconds=180)
    assert not served.pods(model="small")

    with served.entrance() as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        began = time.monotonic()
        answer = client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": QUESTION}], max_tokens=8, timeout=120
        )
        waited = time.monotonic() - began
    served.await_ready()

    sys.stdout.write(f"asleep after {asleep:.0f} s; the request that woke it took {waited:.1f} s\n")
    assert answer.choices[0].finish_reason in {"length", "stop"}
    assert len(served.pods(model="small")) == 1
