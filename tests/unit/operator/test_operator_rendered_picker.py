"""What the picker becomes: a process that starts with what it is told, and may do what it needs to."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pool_documents import model_document, pool_document
from rendered_pools import ENVOY, FACTS, GATEWAY, environment_of, of_kind, only, options_of, pod_of, rendered

from chimera_operator.api.errors import PoolError
from chimera_operator.rendering import kinds
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.manifest import PICKER, Manifest
from chimera_router import arguments, settings
from chimera_router.arguments import Arguments
from chimera_router.sharing import settings as sharing

SECRET = {"name": "secret", "key": "a"}
RIGHTS = Path(__file__).resolve().parents[3] / "manifests" / "rbac" / "picker.yaml"


def pool(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    hub = {"huggingFace": {"repo": "org/small"}}
    return pool_document(*(models or [model_document("small", source=hub)]), **spec)


def deployment(*, facts: Facts = FACTS, **spec: Any) -> Manifest:
    return only(rendered(pool(**spec), facts), kinds.DEPLOYMENT, component=PICKER)


def container(**spec: Any) -> Manifest:
    found: Manifest = pod_of(deployment(**spec))["containers"][0]
    return found


def told(**spec: Any) -> Arguments:
    """Return what the picker's own parser makes of its command line."""
    return arguments.parse(container(**spec)["args"])


def mounted(pod: Manifest, path: str) -> Manifest:
    """Return the volume that the first container has at a path."""
    (name,) = [mount["name"] for mount in pod["containers"][0]["volumeMounts"] if mount["mountPath"] == path]
    return next(volume for volume in pod["volumes"] if volume["name"] == name)


def test_picker_is_told_its_configuration_and_its_ports() -> None:
    """By the names and numbers under which others look for it."""
    manifests = rendered(pool())
    found = told()
    config = only(manifests, kinds.CONFIG_MAP)
    ports = {each["name"]: each["port"] for each in only(manifests, kinds.SERVICE, component=PICKER)["spec"]["ports"]}

    assert str(found.config) == f"models/{config['metadata']['name']}"
    assert (found.grpc_port, found.management_port, found.feedback_port) == (9002, 9090, 9091)
    assert ports == {"ext-proc": 9002, "management": 9090, "feedback": 9091}
    assert found.management_auth == "kubernetes"
    assert not found.insecure


def test_router_reads_the_configuration_that_it_is_given() -> None:
    """The ConfigMap has it under the key that the picker looks for."""
    text = only(rendered(pool(gateway={**GATEWAY, "pathPrefix": "/llm/"})), kinds.CONFIG_MAP)["data"]["router.json"]

    read = settings.parse(text, base=Path("/"))

    assert read.prefix == "/llm"
    assert list(read.models) == ["small"]
    assert json.loads(text)["discovery"] == {"kubernetes": {"namespace": "models", "inferencePool": "pool"}}


def test_router_is_told_of_adapters_metrics_and_how_long_a_model_takes_to_wake() -> None:
    """Requests wait for a replica as long as it may take to start, up to what the router takes."""
    hub = {"huggingFace": {"repo": "org/small"}}
    asleep = {"auto": {"maxReplicas": 2, "scaleToZero": {}}}
    small = model_document("small", source=hub, scaling=asleep, loras=[{"name": "tickets", "source": hub}])
    quick = model_document("quick", source=hub, scaling=asleep, engine={"kvTokens": 1, "startupSeconds": 60})
    document = pool(small, quick, model_document("large", source=hub), routing={"flowControl": {"enabled": True}})
    text = only(rendered(document), kinds.CONFIG_MAP)["data"]["router.json"]

    read = settings.parse(text, base=Path("/"))

    assert [model.wake for model in read.models.values()] == [900, 60, 0]
    assert read.catalog.adapters == ("tickets",)
    assert [model["engine"] for model in json.loads(text)["models"]] == ["vllm"] * 3


@pytest.mark.parametrize(
    ("picker", "expected"),
    [
        ({"logLevel": "Debug", "transport": "GRPC"}, {"log_level": "debug", "transport": "grpc"}),
        ({"tls": {"mode": "SelfSigned"}}, {"insecure": False, "cert_path": None}),
        ({"tls": {"mode": "Plaintext"}}, {"insecure": True}),
        (
            {"tls": {"mode": "Certificate", "secretRef": {"name": "tls"}, "clientCaSecretRef": SECRET}},
            {"cert_path": Path("/etc/chimera/tls"), "client_ca": Path("/etc/chimera/client-ca/ca.crt")},
        ),
        ({"management": {"auth": "None", "tls": True}}, {"management_auth": "none", "management_tls": True}),
        ({"management": {"openMetrics": True}}, {"metrics_endpoint_auth": False}),
        (
            {"management": {"auth": "Token", "tokenSecretRef": SECRET}},
            {"management_auth": "token-file", "management_token_file": Path("/etc/chimera/tokens/tokens")},
        ),
        ({"cacheSaltSecretRef": SECRET}, {"cache_salt_key": Path("/etc/chimera/cache-salt/key")}),
        (
            {"sharedWorkflows": {"url": "redis://valkey:6379/1", "secretRef": SECRET, "lookupMilliseconds": 7.5}},
            {"shared_workflows": "redis://valkey:6379/1", "shared_workflows_deadline": 0.0075},
        ),
    ],
)
def test_every_setting_reaches_the_picker(picker: dict[str, Any], expected: dict[str, Any]) -> None:
    """Its own parser takes the command line, and finds what the pool says."""
    found = told(picker=picker)

    assert {name: getattr(found, name) for name in expected} == expected


def test_files_on_the_command_line_are_mounted() -> None:
    """Each from the Secret that the pool names; nobody can write there."""
    picker = {
        "tls": {"mode": "Certificate", "secretRef": {"name": "tls"}, "clientCaSecretRef": {"name": "ca", "key": "pem"}},
        "management": {"auth": "Token", "tokenSecretRef": {"name": "tokens", "key": "all"}},
        "cacheSaltSecretRef": {"name": "salt", "key": "b"},
    }
    pod = pod_of(deployment(picker=picker))

    assert mounted(pod, "/etc/chimera/tls")["secret"] == {"secretName": "tls"}
    for folder, secret, key, file in (
        ("client-ca", "ca", "pem", "ca.crt"),
        ("tokens", "tokens", "all", "tokens"),
        ("cache-salt", "salt", "b", "key"),
    ):
        found = mounted(pod, f"/etc/chimera/{folder}")["secret"]
        assert found == {"secretName": secret, "items": [{"key": key, "path": file}]}
    writable = [each["mountPath"] for each in pod["containers"][0]["volumeMounts"] if not each.get("readOnly")]
    assert writable == ["/var/lib/chimera/state", "/tmp"]  # noqa: S108 - the pod's own


def test_secrets_of_shared_workflows_are_files_that_the_environment_names(tmp_path: Path) -> None:
    """The router finds both by the variables, and nobody finds them in the pod's manifest."""
    shared = {"url": "rediss://valkey/0", "secretRef": SECRET, "passwordSecretRef": {"name": "valkey", "key": "pw"}}
    pod = pod_of(deployment(picker={"sharedWorkflows": shared}))
    environment = environment_of(pod["containers"][0])

    files = {}
    for variable, path in environment.items():
        volume = mounted(pod, str(Path(path).parent))
        assert volume["secret"]["items"][0]["path"] == Path(path).name
        files[variable] = tmp_path / variable
        files[variable].write_text(f"{volume['secret']['secretName']}-0123456789abcdef")
    read = sharing.read(shared["url"], {name: str(path) for name, path in files.items()}, deadline=1)

    assert (read.secret, read.password) == (b"secret-0123456789abcdef", "valkey-0123456789abcdef")


def test_pods_rights_are_those_that_a_picker_was_shown_to_need() -> None:
    """The same rules as in the manifest that a real API server is tried with, for this pool's names."""
    role = only(rendered(pool()), kinds.ROLE)
    text = RIGHTS.read_text().replace("assistants-router", "pool-picker").replace("assistants", "pool")
    shipped = next(each for each in yaml.safe_load_all(text) if each["kind"] == "Role")

    assert role["rules"] == shipped["rules"]


def test_rights_are_given_to_whoever_runs_the_picker() -> None:
    """Its own account, or the one that the pool names."""

    def subjects(**picker: Any) -> list[dict[str, str]]:
        found: list[dict[str, str]] = only(rendered(pool(picker=picker)), kinds.ROLE_BINDING)["subjects"]
        return found

    account = {"kind": "ServiceAccount", "namespace": "models"}
    assert subjects() == [{**account, "name": "pool-picker"}]
    assert subjects(pod={"serviceAccountName": "mine"}) == [{**account, "name": "mine"}]
    assert pod_of(deployment(picker={"pod": {"serviceAccountName": "mine"}}))["serviceAccountName"] == "mine"


def test_picker_outlives_every_engine_that_it_sends_to() -> None:
    """Answers pass it to their end: it drains as long as the slowest model, and is killed no sooner."""
    hub = {"huggingFace": {"repo": "org/x"}}
    models = [model_document(name, source=hub, rollout={"drainSeconds": n}) for name, n in (("a", 30), ("b", 600))]
    manifests = rendered(pool(*models))
    grace = [pod_of(each)["terminationGracePeriodSeconds"] for each in of_kind(manifests, kinds.DEPLOYMENT)]
    picker = pod_of(only(manifests, kinds.DEPLOYMENT, component=PICKER))

    assert grace[0] >= max(grace)
    assert options_of(picker["containers"][0])["--drain"] == ["600"]


def test_new_picker_decides_before_an_old_one_goes() -> None:
    """One more while they are replaced, and one fewer at most where nodes drain."""
    manifests = rendered(pool(picker={"replicas": 3}))
    spec = only(manifests, kinds.DEPLOYMENT, component=PICKER)["spec"]

    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert only(manifests, kinds.DISRUPTION_BUDGET, component=PICKER)["spec"]["maxUnavailable"] == 1


def test_probes_ask_pages_that_ask_for_no_token() -> None:
    """Over TLS where the pages are; ready once it knows its endpoints, alive in any case."""
    plain, encrypted = container(), container(picker={"management": {"tls": True}})

    assert plain["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "management", "scheme": "HTTP"}
    assert plain["livenessProbe"]["httpGet"]["path"] == plain["startupProbe"]["httpGet"]["path"] == "/livez"
    assert encrypted["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


@pytest.mark.parametrize(
    ("bundle", "path", "volume"),
    [
        ({}, "", None),
        ({"path": "/opt/bundle"}, "/opt/bundle", None),
        (
            {"pvc": {"claimName": "bundles"}, "path": "a"},
            "/var/lib/chimera/bundle/a",
            {"persistentVolumeClaim": {"claimName": "bundles", "readOnly": True}},
        ),
        (
            {"image": {"reference": "registry/bundle:1"}},
            "/var/lib/chimera/bundle",
            {"image": {"reference": "registry/bundle:1"}},
        ),
    ],
    ids=["package", "image of the picker", "volume", "image"],
)
def test_picker_finds_its_predictors(bundle: dict[str, Any], path: str, volume: dict[str, Any] | None) -> None:
    """Where the configuration says, there they are."""
    manifests = rendered(pool(routing={"bundle": bundle}))
    config = json.loads(only(manifests, kinds.CONFIG_MAP)["data"]["router.json"])
    pod = pod_of(only(manifests, kinds.DEPLOYMENT, component=PICKER))

    assert config["bundle"]["path"] == path
    assert "initContainers" not in pod
    if volume:
        assert mounted(pod, "/var/lib/chimera/bundle") == {"name": "bundle", **volume}


def test_archive_is_fetched_before_the_picker_starts() -> None:
    """Only whoever fetches it can write there; it is held against its digest."""
    digest = "0" * 64
    archive = {"url": "https://example.com/bundle.tar.gz", "sha256": digest}
    pod = pod_of(deployment(routing={"bundle": {"archive": archive, "sha256": "1" * 64}}))
    (fetcher,) = pod["initContainers"]

    assert fetcher["command"] == ["python", "-m", "chimera_router.prediction.fetch"]
    assert options_of(fetcher) == {
        "": [],
        "--url": [archive["url"]],
        "--sha256": [digest],
        "--into": ["/var/lib/chimera/bundle"],
    }
    writes = {each["name"]: not each.get("readOnly") for each in fetcher["volumeMounts"]}
    reads = {each["name"]: not each.get("readOnly") for each in pod["containers"][0]["volumeMounts"]}
    assert (writes["bundle"], reads["bundle"]) == (True, False)
    assert fetcher["image"] == pod["containers"][0]["image"] == FACTS.picker_image


def test_pods_wishes_reach_the_picker() -> None:
    """Image, policy of pulling, and what makes it fit into the cluster."""
    pod = {"labels": {"team": "a"}, "annotations": {"b": "c"}, "nodeSelector": {"d": "e"}, "topologySpread": []}
    found = deployment(picker={"image": "mine:1", "imagePullPolicy": "Never", "pod": pod, "resources": {}})
    spec = pod_of(found)

    assert found["spec"]["template"]["metadata"]["labels"]["team"] == "a"
    assert found["spec"]["template"]["metadata"]["annotations"] == {"b": "c"}
    assert spec["nodeSelector"] == {"d": "e"}
    assert (spec["containers"][0]["image"], spec["containers"][0]["imagePullPolicy"]) == ("mine:1", "Never")
    assert "topologySpreadConstraints" not in spec


@pytest.mark.parametrize(
    ("tls", "facts", "protocol"),
    [
        ({}, FACTS, "http2"),
        ({}, ENVOY, "kubernetes.io/h2c"),
        ({"mode": "Plaintext"}, FACTS, "kubernetes.io/h2c"),
        ({"mode": "Certificate", "secretRef": {"name": "tls"}}, ENVOY, "http2"),
    ],
)
def test_service_says_how_the_picker_is_spoken_to(tls: dict[str, Any], facts: Facts, protocol: str) -> None:
    """As it serves: in plain text where a gateway takes no certificate that it cannot verify, unless it can."""
    document = pool(gateway=GATEWAY, picker={"tls": tls})
    service = only(rendered(document, facts), kinds.SERVICE, component=PICKER)
    found = told(gateway=GATEWAY, picker={"tls": tls}, facts=facts)

    assert service["spec"]["ports"][0]["appProtocol"] == protocol
    assert found.insecure == (protocol == "kubernetes.io/h2c")


@pytest.mark.parametrize(
    "picker",
    [
        {"tls": {"mode": "SelfSigned"}},
        {"management": {"tls": True}},
        {"tls": {"clientCaSecretRef": SECRET}},
    ],
)
def test_certificate_that_envoy_gateway_cannot_verify_is_refused(picker: dict[str, Any]) -> None:
    """Where TLS is asked for it is not given up in silence."""
    with pytest.raises(PoolError) as error:
        rendered(pool(gateway=GATEWAY, picker=picker), ENVOY)

    assert error.value.path == "spec.picker.tls.mode"
    assert "must be Certificate or Plaintext with Envoy Gateway" in str(error.value)
