"""A pool on a real cluster: applied, asked by OpenAI's client through a gateway, scaled, deleted."""

import json
import sys
import time
from collections.abc import Iterator

import openai
import pytest
from served_pools import Served, applied, model, pool
from steady_chats import Pace, chatting

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(400)

READY = 60.0  # seconds from `kubectl apply` to a pool that answers; 27 on two cores with other work on them
QUESTION = [{"role": "user", "content": "What is 17 times 23?"}]
MODELS = ("small", "middle", "large")


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """A pool of three models, small, middle and large, of which the larger are slower and better."""
    assert (release, gateway_class) == ("chimera-system", "envoy")
    members = [model(name, token_ms=5 * 2**size, score=0.5 + size / 5) for size, name in enumerate(MODELS)]
    with cluster.space() as space, applied(cluster, space, pool("assistants", *members)) as made:
        yield made


@pytest.fixture
def url(served: Served) -> Iterator[str]:
    with served.entrance() as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def everything(cluster: Cluster, space: str) -> set[str]:
    """Return all that is in a namespace, but what Kubernetes itself writes there."""
    listable = cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    kinds = ",".join(kind for kind in listable if not kind.startswith(("events", "endpoint", "pods.metrics")))
    return set(cluster.kubectl("get", kinds, f"--namespace={space}", "--output=name").split())


def test_pool_is_ready_in_a_minute(cluster: Cluster, served: Served) -> None:
    """From `kubectl apply` to a pool whose models all serve takes less than a minute, images being there."""
    with cluster.space() as space:
        cluster.apply(pool("quick", model("small"), gateway={"integration": "None"}), space=space)

        took = Served(cluster, space, "quick").await_ready(seconds=READY)

    sys.stdout.write(f"a pool is ready {took:.1f} s after it is applied\n")
    assert served.condition("Ready") == "True"


def test_answer_names_model_and_pod(client: openai.OpenAI, served: Served) -> None:
    """Headers name the model and, where it is asked for, the whole decision with a pod that has this model."""
    raw = client.chat.completions.with_raw_response.create(
        model="assistants", messages=QUESTION, max_tokens=8, extra_headers={"x-chimera-explain": "true"}
    )
    decision = json.loads(raw.headers["x-chimera-decision"])

    assert raw.parse().choices[0].finish_reason == "length"
    assert raw.headers["x-chimera-model"] == decision["model"]
    assert decision["endpoint"] in served.pods(model=decision["model"])
    assert {each["model"] for each in decision["models"]} == set(MODELS)
    assert raw.headers["x-chimera-workflow-id"]


@pytest.mark.parametrize("name", MODELS)
def test_model_that_is_named_answers(client: openai.OpenAI, name: str) -> None:
    """A client that names a model of the pool gets that one's answer."""
    raw = client.chat.completions.with_raw_response.create(model=name, messages=QUESTION, max_tokens=4)

    assert raw.headers["x-chimera-model"] == name
    assert raw.parse().model == name


def test_answer_comes_in_pieces(client: openai.OpenAI) -> None:
    """A stream begins before it ends, and says how it ended."""
    began = time.monotonic()
    pieces = [
        (time.monotonic() - began, piece.choices[0].finish_reason)
        for piece in client.chat.completions.create(model="large", messages=QUESTION, max_tokens=60, stream=True)
        if piece.choices
    ]

    assert pieces[-1][1] == "length"
    assert pieces[0][0] < pieces[-1][0] / 2


def test_models_are_listed(client: openai.OpenAI) -> None:
    """The pool is a model like its members."""
    assert {each.id for each in client.models.list()} == {"assistants", *MODELS}


def test_model_that_nobody_serves_is_refused(client: openai.OpenAI) -> None:
    """A name that the pool does not have is OpenAI's own error."""
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="another", messages=QUESTION)


def test_status_says_what_serves(served: Served, url: str) -> None:
    """The status counts models and replicas, tells the phase of each, and where clients ask."""
    status = served.status()

    assert (status["readyModels"], status["readyReplicas"]) == ("3/3", "3/3")
    assert {each["name"]: each["phase"] for each in status["models"]} == dict.fromkeys(MODELS, "Ready")
    assert status["picker"] == {"replicas": 2, "readyReplicas": 2}
    assert status["url"]
    assert url


def test_replicas_follow_the_spec(served: Served, url: str) -> None:
    """Replicas that are added answer; those that are taken away finish what they began, and no request is lost."""
    served.change_model("small", scaling={"replicas": 3})
    up = served.await_status("two more replicas", lambda status: "5/5" in status["readyReplicas"])
    with chatting(Pace(url=url, rate=10, tokens=200, models=["small"])) as chats:
        time.sleep(5)
        served.change_model("small", scaling={"replicas": 1})
        down = served.await_status("two replicas fewer", lambda status: "3/3" in status["readyReplicas"])
        time.sleep(3)
    served.await_ready()

    sys.stdout.write(f"two replicas more: {up:.1f} s, two fewer: {down:.1f} s, {len(chats.ended)} chats meanwhile\n")
    assert chats.failures() == {}
    assert len(chats.pods()) == 3
    assert len(served.pods(model="small")) == 1


def test_nothing_of_a_pool_that_is_deleted_stays(cluster: Cluster, served: Served) -> None:
    """With a pool goes all that it became."""
    with cluster.space() as space:
        cluster.await_condition("serviceaccount/default", "create", space=space)
        before = everything(cluster, space)
        cluster.apply(pool("brief", model("small"), gateway={"integration": "None"}), space=space)
        Served(cluster, space, "brief").await_ready()
        meanwhile = everything(cluster, space)
        cluster.kubectl("delete", "hmp", "brief", f"--namespace={space}")

        deadline = time.monotonic() + 90
        while (left := everything(cluster, space)) - before and time.monotonic() < deadline:
            time.sleep(1)

    assert len(meanwhile - before) > 10
    assert left - before == set()
    assert served.condition("Ready") == "True"
