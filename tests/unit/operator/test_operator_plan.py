"""What runs on one machine for a pool."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pool_documents import model_document, pool_document

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_pool
from chimera_operator.local.plan import LocalPlan, Ports, Site, local_plan, replica_count
from chimera_operator.rendering.profiles import vllm_0_32

SITE = Site(
    folder=Path("/run/chimera"),
    ports=Ports(gateway=8080, picker=9002, management=9090, feedback=9004, engines=(9101, 9102, 9103)),
    python="/venv/bin/python",
    envoy="/venv/envoy",
    vllm="/venv/bin/vllm",
)
HUB = {"huggingFace": {"repo": "org/x"}}
POOL = parse_pool(
    pool_document(
        model_document("small", scaling={"replicas": 2}, source=HUB),
        model_document("large", source=HUB, engine={"kvTokens": 1, "env": [{"name": "A", "value": "1"}]}),
    )
)


def plan(*, speed: float = 1.0) -> LocalPlan:
    return local_plan(POOL, site=SITE, speed=speed, engine="simulator")


def test_each_replica_is_an_endpoint_of_its_model() -> None:
    """The endpoints file names every engine that is started, on the port it is started with."""
    endpoints = plan().files["endpoints.json"]["endpoints"]

    assert endpoints == [
        {"name": "small-0", "address": "127.0.0.1:9101", "model": "small"},
        {"name": "small-1", "address": "127.0.0.1:9102", "model": "small"},
        {"name": "large-0", "address": "127.0.0.1:9103", "model": "large"},
    ]
    assert [command.name for command in plan().engines] == [endpoint["name"] for endpoint in endpoints]
    assert replica_count(POOL) == len(endpoints)


def test_an_engine_is_ready_when_its_own_port_says_so() -> None:
    """Each engine is asked on the port it was given."""
    for command, port in zip(plan().engines, SITE.ports.engines, strict=True):
        assert command.ready_url == f"http://127.0.0.1:{port}/health"
        assert command.argv[command.argv.index("--port") + 1] == str(port)


def test_replicas_draw_different_lengths() -> None:
    """Two simulated replicas with one seed would answer alike."""
    seeds = [command.argv[command.argv.index("--seed") + 1] for command in plan().engines]

    assert len(set(seeds)) == len(seeds)


def test_engines_and_router_agree_on_the_speed() -> None:
    """The step time the picker counts with is the one the engine keeps."""
    fast = plan(speed=4.0)
    known = fast.files["router-config.json"]["models"][0]["coefficients"]["baseStepMs"]
    kept = fast.engines[0].argv[fast.engines[0].argv.index("--base-step-ms") + 1]

    assert float(kept) == known == 2.0


def test_the_picker_reads_what_is_written() -> None:
    """The files' names in the command lines and inside the files are those of the plan."""
    made = plan()

    assert made.picker.argv == (
        *("/venv/bin/python", "-m", "chimera_router", "--config", "/run/chimera/router-config.json"),
        *("--host", "127.0.0.1", "--grpc-port", "9002", "--management-port", "9090", "--insecure"),
        *("--feedback-port", "9004"),
    )
    assert made.files["router-config.json"]["discovery"]["file"]["path"] == "/run/chimera/endpoints.json"
    assert "/run/chimera/envoy.json" in made.envoy.argv
    assert set(made.files) == {"router-config.json", "endpoints.json", "envoy.json"}


def test_the_picker_keeps_what_it_learned_where_there_is_a_place_for_it() -> None:
    """A folder of the site; without one nothing is kept."""
    kept = local_plan(POOL, site=replace(SITE, state=Path("/state")), speed=1.0, engine="simulator")

    assert kept.picker.argv[-2:] == ("--state-path", "/state")
    assert "--state-path" not in plan().picker.argv


def test_simulated_engines_answer_from_recordings_of_the_site() -> None:
    """All of them from one folder; without it from the package's own."""
    made = local_plan(POOL, site=replace(SITE, recordings=Path("/data")), speed=1.0, engine="simulator")

    assert {command.argv[-2:] for command in made.engines} == {("--data", "/data")}
    assert not any("--data" in command.argv for command in plan().engines)


def test_vllm_engines_are_started_by_path_with_their_environment() -> None:
    """A virtual environment need not be active."""
    engines = local_plan(POOL, site=SITE, speed=1.0, engine="vllm").engines

    assert engines[2].argv[:3] == ("/venv/bin/vllm", "serve", "org/x")
    assert engines[2].env["A"] == "1"


def test_the_users_environment_wins() -> None:
    """Its variables replace the profile's; one from a Secret is left to whoever starts the pool."""
    token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    told = {"kvTokens": 1, "profile": "vllm-0.32", "env": [{"name": "VLLM_NO_USAGE_STATS", "value": "0"}, token]}
    document = pool_document(model_document("small", source={"huggingFace": {"repo": "org/x"}}, engine=told))

    (engine,) = local_plan(parse_pool(document), site=SITE, speed=1.0, engine="vllm").engines

    assert engine.env == {**vllm_0_32.PROFILE.env, "VLLM_NO_USAGE_STATS": "0"}
    assert engine.argv[-2:] == ("--disable-access-log-for-endpoints", "/health,/metrics")


def test_a_model_that_vllm_cannot_serve_is_named() -> None:
    """The error is the document's."""
    with pytest.raises(PoolError, match=r"^spec.models\[0\].source: is required for vLLM$"):
        local_plan(parse_pool(pool_document()), site=SITE, speed=1.0, engine="vllm")


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (
            pool_document(routing={"bundle": {"pvc": {"claimName": "bundle"}}}),
            "spec.routing.bundle: must be a path: volumes, images and archives exist in a cluster only",
        ),
        (
            pool_document(routing={"fallbackEndpoints": 1}),
            "spec.routing.fallbackEndpoints: must be 0: the gateway of one machine takes one endpoint",
        ),
        (
            pool_document(model_document("small", loras=[{"name": "a", "source": HUB}])),
            "spec.models[0].loras: must be empty: adapters exist in a cluster only",
        ),
    ],
    ids=["volume", "fallbacks", "adapter"],
)
def test_what_one_machine_does_not_have_is_refused(document: dict[str, Any], line: str) -> None:
    """Rather than left out without a word."""
    with pytest.raises(PoolError) as error:
        local_plan(parse_pool(document), site=SITE, speed=1.0, engine="simulator")

    assert str(error.value) == line
