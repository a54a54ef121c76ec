"""A pool behind Istio, whose gateways go by the InferencePool; `make cluster GATEWAY=istio` installs it."""

import json
import time
from collections.abc import Iterator
from enum import Enum, auto

import openai
import pytest
from served_pools import Served, applied, model, pool
from steady_chats import Pace, chatting

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(400)

QUESTION = [{"role": "user", "content": "What is 17 times 23?"}]
MODELS = ("small", "large")
REPLACED = 60.0  # seconds within which a picker that was killed has been missed, and has been replaced


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: str, istio_class: str) -> Iterator[Served]:
    """A pool of two models, behind a Gateway whose class alone says how it is to be integrated."""
    assert release
    members = [model("small", score=0.5), model("large", token_ms=40, score=0.9)]
    with cluster.space() as space, applied(cluster, space, pool("assistants", *members), istio_class) as made:
        yield made


@pytest.fixture
def url(served: Served) -> Iterator[str]:
    with served.entrance() as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_route_goes_to_the_inference_pool(cluster: Cluster, served: Served) -> None:
    """By the Gateway's class alone: a route to the InferencePool, accepted and resolved, and TLS to the picker."""
    where = f"--namespace={served.space}"
    (route,) = cluster.get("httproutes", where)["items"]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    (parent,) = route["status"]["parents"]
    (rule,) = cluster.get("destinationrules.networking.istio.io", where)["items"]

    assert (backend["kind"], backend["name"]) == ("InferencePool", "assistants")
    assert {each["type"]: each["status"] for each in parent["conditions"]} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
    }
    assert rule["spec"]["host"] == "assistants-picker"
    assert {kind: served.condition(kind) for kind in ("Ready", "Programmed")} == {"Ready": "True", "Programmed": "True"}


def test_answer_names_model_and_pod(client: openai.OpenAI, served: Served) -> None:
    """Headers name the model and, where it is asked for, the whole decision with a pod that has this model."""
    raw = client.chat.completions.with_raw_response.create(
        model="assistants", messages=QUESTION, max_tokens=8, extra_headers={"x-chimera-explain": "true"}
    )
    decision = json.loads(raw.headers["x-chimera-decision"])

    assert raw.parse().choices[0].finish_reason == "length"
    assert raw.headers["x-chimera-model"] == decision["model"] == "large"
    assert decision["endpoint"] in served.pods(model="large")
    assert {each["model"] for each in decision["models"]} == set(MODELS)


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


def test_client_cannot_name_a_destination(served: Served, url: str) -> None:
    """A client's own destination header is not followed."""
    stolen = {"x-gateway-destination-endpoint": "127.0.0.1:15000"}
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", default_headers=stolen) as client:
        answer = client.chat.completions.create(model="small", messages=QUESTION, max_tokens=4)

    assert served.condition("Ready") == "True"
    assert answer.model == "small"


def test_picker_refuses_in_its_own_words(client: openai.OpenAI) -> None:
    """A name that the pool does not have is OpenAI's own error, and models are listed by the picker."""
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="another", messages=QUESTION)

    assert {each.id for each in client.models.list()} == {"assistants", *MODELS}


def test_replicas_follow_the_spec(served: Served, url: str) -> None:
    """Replicas that are added answer; those that are taken away finish what they began, and no request is lost."""
    served.change_model("small", scaling={"replicas": 3})
    served.await_status("two more replicas", lambda status: "4/4" in status["readyReplicas"])
    with chatting(Pace(url=url, rate=10, tokens=200, models=["small"])) as chats:
        time.sleep(5)
        served.change_model("small", scaling={"replicas": 1})
        served.await_status("two replicas fewer", lambda status: "2/2" in status["readyReplicas"])
        time.sleep(3)
    served.await_ready()

    assert chats.failures() == {}
    assert len(chats.pods()) == 3


def test_gateway_does_without_a_picker_that_is_killed(cluster: Cluster, release: str, istio_class: str) -> None:
    """With FailOpen and no picker the gateway chooses an engine itself, for every chat, until there is a picker."""
    assert release
    document = pool("alike", model("small", replicas=2), pickers=1)
    document["spec"]["picker"]["failureMode"] = "FailOpen"
    with cluster.space() as space, applied(cluster, space, document, istio_class) as served:
        seen = without_picker(served)

    assert seen == {Chosen.BY_GATEWAY, Chosen.BY_PICKER}


def test_gateway_refuses_without_a_picker(cluster: Cluster, release: str, istio_class: str) -> None:
    """With FailClose, as it is where nothing is said, no request passes a picker by."""
    assert release
    document = pool("strict", model("small"), pickers=1)
    with cluster.space() as space, applied(cluster, space, document, istio_class) as served:
        seen = without_picker(served)

    assert seen == {Chosen.BY_NOBODY, Chosen.BY_PICKER}


class Chosen(Enum):
    """Who has said which engine answers a chat."""

    BY_PICKER = auto()
    BY_GATEWAY = auto()
    BY_NOBODY = auto()  # it was refused


def without_picker(served: Served) -> set[Chosen]:
    """Kill the only picker of a pool, and return who chose for the chats from then until there is one again.

    Raises:
        AssertionError: It was not missed, or is not replaced in time.
    """
    seen = set[Chosen]()
    with served.entrance() as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        (picker,) = served.pickers()
        served.kill(picker)
        deadline = time.monotonic() + REPLACED
        while (chosen := _chosen(client)) is not Chosen.BY_PICKER or len(seen) < 2:
            seen.add(chosen)
            assert time.monotonic() < deadline, f"in {REPLACED:.0f} s: {seen}, last {chosen}"
    return seen


def _chosen(client: openai.OpenAI) -> Chosen:
    try:
        raw = client.chat.completions.with_raw_response.create(model="small", messages=QUESTION, max_tokens=2)
    except openai.InternalServerError:
        return Chosen.BY_NOBODY
    return Chosen.BY_PICKER if "x-chimera-model" in raw.headers else Chosen.BY_GATEWAY
