"""What models become: pods that load, serve, drain and are found."""

from typing import Any

import pytest
from pool_documents import model_document, pool_document
from rendered_pools import FACTS, environment_of, in_cluster, of_kind, only, options_of, pod_of, rendered

from chimera_operator.rendering import kinds
from chimera_operator.rendering.choices import Choice, Placement, Strategy
from chimera_operator.rendering.manifest import ENGINE, Manifest
from chimera_operator.rendering.pool import render

HUB = {"huggingFace": {"repo": "org/small"}}
H100 = {"class": "nvidia-h100"}


def model(**fields: Any) -> dict[str, Any]:
    return pool_document(model_document("small", **{"source": HUB, **fields}))


def pod(**fields: Any) -> Manifest:
    return pod_of(only(rendered(model(**fields)), kinds.DEPLOYMENT, component=ENGINE))


def container(**fields: Any) -> Manifest:
    (found,) = pod(**fields)["containers"]
    return found  # type: ignore[no-any-return]


def test_pod_is_found_by_pool_model_and_what_it_runs_on() -> None:
    """Picker, budget, autoscaler and operator each look for some of these."""
    deployment = only(rendered(model(accelerators=[H100])), kinds.DEPLOYMENT, component=ENGINE)
    found = deployment["spec"]["template"]["metadata"]["labels"]

    assert (
        found.items()
        >= {
            "chimera.dev/pool": "pool",
            "chimera.dev/model": "small",
            "chimera.dev/accelerator": "nvidia-h100",
            "app.kubernetes.io/component": "engine",
            "app.kubernetes.io/managed-by": "chimera-operator",
        }.items()
    )
    assert deployment["spec"]["selector"]["matchLabels"].items() <= found.items()
    assert deployment["metadata"]["labels"]["chimera.dev/revision"] == found["chimera.dev/revision"]


def test_users_labels_and_annotations_never_replace_ours() -> None:
    """They come beside them."""
    mine = {"app.kubernetes.io/component": "mine", "team": "a"}
    ports = "inference.networking.k8s.io/active-ports"
    document = model(pod={"labels": mine, "annotations": {ports: "1", "note": "b"}})
    metadata = only(rendered(document), kinds.DEPLOYMENT, component=ENGINE)["spec"]["template"]["metadata"]

    assert (metadata["labels"]["app.kubernetes.io/component"], metadata["labels"]["team"]) == ("engine", "a")
    assert metadata["annotations"] == {ports: "8000", "note": "b"}


def test_every_alternative_is_a_deployment_of_its_own() -> None:
    """Their selectors do not overlap, and their order changes no name."""
    alternatives = [H100, {"class": "nvidia-a40", "name": "cheap"}]
    there = of_kind(rendered(model(accelerators=alternatives)), kinds.DEPLOYMENT)[1:]
    back = of_kind(rendered(model(accelerators=alternatives[::-1])), kinds.DEPLOYMENT)[1:]

    selectors = [each["spec"]["selector"]["matchLabels"]["chimera.dev/accelerator"] for each in there]
    assert selectors == ["nvidia-h100", "cheap"]
    assert [each["metadata"]["name"] for each in there] == [each["metadata"]["name"] for each in back][::-1]


@pytest.mark.parametrize(
    ("strategy", "rollout", "expected"),
    [
        ("Surge", {"maxSurge": 2}, {"maxSurge": 2, "maxUnavailable": 0}),
        ("Surge", {"maxSurge": 0}, {"maxSurge": 1, "maxUnavailable": 0}),
        ("InPlace", {"maxUnavailable": 3}, {"maxSurge": 0, "maxUnavailable": 3}),
        ("InPlace", {"maxUnavailable": 0}, {"maxSurge": 0, "maxUnavailable": 1}),
        ("Recreate", {}, None),
    ],
)
def test_strategy_is_the_one_that_was_decided(
    strategy: Strategy, rollout: dict[str, int], expected: dict[str, int] | None
) -> None:
    """With the pool's figures, and never one with which nothing would move."""
    pool = in_cluster(model(rollout=rollout))
    placement = Placement(accelerator=None, replicas=4, strategy=strategy)
    choice = Choice(profile="vllm-0.33", placements=(placement,), wished=4)

    spec = only(render(pool, {"small": choice}, FACTS), kinds.DEPLOYMENT, component=ENGINE)["spec"]

    assert spec["replicas"] == 4
    assert spec["strategy"].get("rollingUpdate") == expected
    assert spec["strategy"]["type"] == ("RollingUpdate" if expected else "Recreate")


def test_pod_lives_as_long_as_its_requests_may_take() -> None:
    """Time to be forgotten by gateways, then what the engine drains for, then time to end; then it is killed."""
    found = pod(rollout={"drainSeconds": 300})
    (engine,) = found["containers"]

    assert engine["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    assert options_of(engine)["--shutdown-timeout"] == ["300"]
    assert found["terminationGracePeriodSeconds"] == 15 + 300 + 10


def test_engine_has_as_long_to_load_as_the_pool_says() -> None:
    """The probe, vLLM's own patience, and the Deployment's beyond both."""
    deployment = only(
        rendered(model(engine={"kvTokens": 1, "startupSeconds": 601})), kinds.DEPLOYMENT, component=ENGINE
    )
    (engine,) = pod_of(deployment)["containers"]
    startup = engine["startupProbe"]

    assert 601 <= startup["periodSeconds"] * startup["failureThreshold"] < 601 + startup["periodSeconds"]
    assert environment_of(engine)["VLLM_ENGINE_READY_TIMEOUT_S"] == "601"
    assert deployment["spec"]["progressDeadlineSeconds"] > 601


def test_all_probes_ask_the_one_page_that_answers_once_weights_are_loaded() -> None:
    """A slow answer under load is no reason to end an engine."""
    engine = container()

    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert engine[probe]["httpGet"] == {"path": "/health", "port": "http"}
        assert engine[probe]["timeoutSeconds"] >= 5
    assert engine["livenessProbe"]["periodSeconds"] * engine["livenessProbe"]["failureThreshold"] >= 120


def test_no_service_of_the_namespace_reaches_into_the_environment() -> None:
    """A Service called `vllm` would set VLLM_PORT, on which vLLM ends."""
    assert pod()["enableServiceLinks"] is False


def test_engine_has_no_token_of_the_api_server() -> None:
    """Whoever breaks into an engine finds no way further."""
    manifests = rendered(model())
    found = pod_of(only(manifests, kinds.DEPLOYMENT, component=ENGINE))

    assert found["automountServiceAccountToken"] is False
    assert found["serviceAccountName"] == "pool-engines"
    assert only(manifests, kinds.SERVICE_ACCOUNT, component=ENGINE)["automountServiceAccountToken"] is False
    assert pod(pod={"serviceAccountName": "mine"})["serviceAccountName"] == "mine"


def test_cards_are_asked_for_by_what_nodes_count_them_by() -> None:
    """Whole cards, slices, another maker's, as many as one copy of the weights takes."""

    def limits(**card: Any) -> dict[str, str]:
        parallelism = {"tensor": 2, "pipeline": 2}
        found = container(parallelism=parallelism, accelerators=[{"class": "nvidia-h100", **card}])
        return found["resources"]["limits"]  # type: ignore[no-any-return]

    assert limits() == {"nvidia.com/gpu": "4"}
    assert limits(mig="1g.10gb") == {"nvidia.com/mig-1g.10gb": "4"}
    assert limits(resource="amd.com/gpu") == {"amd.com/gpu": "4"}


def test_resources_are_the_users_and_the_cards() -> None:
    """CPU and memory are of each engine."""
    asked = {"requests": {"cpu": 4}, "limits": {"memory": "32Gi"}}

    assert container(resources=asked)["resources"] == asked | {"requests": {"cpu": "4"}}
    assert container(resources=asked, accelerators=[H100])["resources"] == {
        "requests": {"cpu": "4"},
        "limits": {"memory": "32Gi", "nvidia.com/gpu": "1"},
    }


def test_claimed_cards_are_claimed_for_each_copy() -> None:
    """Two engines on one claim would both take its first card."""
    claimed = {"class": "nvidia-h200", "resourceClaimTemplate": {"name": "whole"}}
    found = pod(accelerators=[claimed], parallelism={"data": 2})

    assert found["resourceClaims"] == [
        {"name": "accelerator-0", "resourceClaimTemplateName": "whole"},
        {"name": "accelerator-1", "resourceClaimTemplateName": "whole"},
    ]
    assert [each["resources"] for each in found["containers"]] == [
        {"claims": [{"name": "accelerator-0"}]},
        {"claims": [{"name": "accelerator-1"}]},
    ]


def test_pod_goes_where_the_accelerator_is() -> None:
    """Labels and taints of the pool's pods and of the card's nodes, and its runtime."""
    taint = {"key": "nvidia.com/gpu", "operator": "Exists"}
    card = {**H100, "nodeSelector": {"gpu": "h100"}, "tolerations": [taint], "runtimeClassName": "nvidia"}
    mine = {"key": "team", "value": "a", "effect": "NoSchedule"}
    found = pod(accelerators=[card], pod={"nodeSelector": {"zone": "a"}, "tolerations": [mine]})

    assert found["nodeSelector"] == {"zone": "a", "gpu": "h100"}
    assert found["tolerations"] == [{"operator": "Equal", **mine}, taint]
    assert found["runtimeClassName"] == "nvidia"


def test_replicas_are_spread_as_the_pool_says() -> None:
    """Over zones and hosts where that is possible; an empty list spreads nothing."""
    found = pod()["topologySpreadConstraints"]

    assert [each["topologyKey"] for each in found] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {each["whenUnsatisfiable"] for each in found} == {"ScheduleAnyway"}
    assert "topologySpreadConstraints" not in pod(pod={"topologySpread": []})


def test_pods_wishes_reach_it() -> None:
    """Class of priority, secrets of registries, policy of pulling."""
    found = pod(
        pod={"priorityClassName": "serving", "imagePullSecrets": [{"name": "registry"}]},
        engine={"kvTokens": 1, "image": "mine@sha256:0", "imagePullPolicy": "Always"},
    )

    assert (found["priorityClassName"], found["imagePullSecrets"]) == ("serving", [{"name": "registry"}])
    assert (found["containers"][0]["image"], found["containers"][0]["imagePullPolicy"]) == ("mine@sha256:0", "Always")


def test_copies_of_the_weights_are_engines_of_their_own() -> None:
    """Each has its own port, cards and probes; vLLM lets nobody spread over the ranks of a dense model."""
    found = pod(accelerators=[H100], parallelism={"tensor": 2, "data": 3})

    assert [each["name"] for each in found["containers"]] == ["engine", "engine-1", "engine-2"]
    for rank, each in enumerate(found["containers"]):
        options = options_of(each)
        assert each["resources"]["limits"] == {"nvidia.com/gpu": "2"}
        assert options["--port"] == [str(8000 + rank)]
        assert each["ports"] == [{"name": each["readinessProbe"]["httpGet"]["port"], "containerPort": 8000 + rank}]
        assert "--data-parallel-size" not in options


def test_pod_says_which_of_the_pools_ports_it_serves() -> None:
    """Others of its pool may serve more, and their change is none of its own."""

    def annotations(document: dict[str, Any]) -> list[dict[str, str]]:
        deployments = of_kind(rendered(document), kinds.DEPLOYMENT)[1:]
        return [each["spec"]["template"]["metadata"]["annotations"] for each in deployments]

    key = "inference.networking.k8s.io/active-ports"
    more = model_document("large", source=HUB, parallelism={"data": 2})
    document = model()

    assert annotations(document) == [{key: "8000"}]
    document["spec"]["models"].append(more)
    assert annotations(document) == [{key: "8000"}, {key: "8000,8001"}]


def test_last_words_of_an_engine_are_kept() -> None:
    """They say why it ended."""
    assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_cpu_engine_gets_the_cpu_image_and_the_cache_it_was_promised() -> None:
    """The router counts on as many tokens as the pool says, which vLLM on CPUs is told in GiB."""
    descriptor = {"parametersB": 7, "kvBytesPerToken": 100_000}
    engine = container(engine={"kvTokens": 20_000}, descriptor=descriptor)

    assert engine["image"] == "docker.io/vllm/vllm-openai-cpu:v0.33.0"
    assert environment_of(engine)["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment_of(container(descriptor=descriptor, accelerators=[H100]))
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment_of(container())


def test_users_environment_wins() -> None:
    """Over the profile's and ours, each variable once, whether its value is given or is elsewhere."""
    secret = {"secretKeyRef": {"name": "a", "key": "b"}}
    told = [{"name": "VLLM_NO_USAGE_STATS", "value": "0"}, {"name": "HOME", "valueFrom": secret}]
    engine = container(engine={"kvTokens": 1, "env": [*told, {"name": "MINE", "value": ""}]})

    assert environment_of(engine).items() >= {"VLLM_NO_USAGE_STATS": "0", "HOME": secret, "MINE": ""}.items()
    assert len(engine["env"]) == len(environment_of(engine))


def test_simulated_engine_says_so_and_needs_nothing() -> None:
    """No weights, no cache; its pods are labelled, and it drains as any engine."""
    document = model(engine={"type": "Simulator", "kvTokens": 1000}, source=None)
    del document["spec"]["models"][0]["source"]
    deployment = only(rendered(document), kinds.DEPLOYMENT, component=ENGINE)
    (engine,) = pod_of(deployment)["containers"]

    assert deployment["spec"]["template"]["metadata"]["labels"]["chimera.dev/simulated"] == "true"
    assert engine["image"] == FACTS.simulator_image
    assert engine["command"] == ["python", "-m", "chimera_bench.engine"]
    assert [each["name"] for each in pod_of(deployment)["volumes"]] == ["scratch"]
    assert options_of(engine)["--shutdown-timeout"] == ["120"]


def test_model_has_a_budget_that_lets_nodes_drain() -> None:
    """One replica at a time, on whatever it runs; a single one may go, else its node never could."""
    (budget,) = [
        each for each in of_kind(rendered(model()), kinds.DISRUPTION_BUDGET) if "small" in each["metadata"]["name"]
    ]

    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"] == {"chimera.dev/pool": "pool", "chimera.dev/model": "small"}


@pytest.mark.parametrize(("scaling", "spec"), [({"replicas": 3}, {"replicas": 3}), ({"external": {}}, {})])
def test_replicas_are_left_out_where_somebody_else_sets_them(scaling: dict[str, Any], spec: dict[str, int]) -> None:
    """An autoscaler would fight with whoever applies them."""
    pooled = only(rendered(model(scaling=scaling)), kinds.POOLED_MODEL)

    assert pooled["spec"] == {"pool": "pool", "model": "small", **spec}
