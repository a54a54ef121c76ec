"""How a cluster is reached, and what is said where it is not."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from chimera_cluster import __main__ as command
from chimera_cluster import cgroups, evidence, isolation, namespace, network, tools
from chimera_cluster.cluster import Cluster
from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.gateway import MANIFESTS, Gateway
from chimera_cluster.gateways import ENVOY_GATEWAY, ISTIO
from chimera_cluster.images import envoy, istio_proxy, names
from chimera_cluster.network import INSIDE, LOAD, Inside, Outside
from chimera_cluster.place import CGROUP, Place

# In kubectl's place: it notes how it was called and what it was given, and answers by what is asked for.
KUBECTL = """#!{python}
import json, os, sys
called = sys.argv[1:]
given = sys.stdin.read() if "--filename=-" in called else ""
with open({notes!r}, "a") as file:
    file.write(json.dumps({{"called": called, "given": given, "as": os.environ.get("KUBECONFIG")}}) + "\\n")
status = [{{"restartCount": 1}}]
pods = {{"items": [{{"metadata": {{"namespace": "a", "name": "b"}}, "status": {{"containerStatuses": status}}}}]}}
if called[0] == "logs" and "--previous" in called:
    sys.exit("no previous container")
print(json.dumps(pods) if "--output=json" in called else " ".join(called[:2]))
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which a kubectl on the PATH notes its calls."""
    path = tmp_path / "calls"
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable, notes=str(path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return path


@pytest.fixture
def cluster(notes: Path) -> Cluster:
    assert notes
    return Cluster(Path("/the/kubeconfig"), Outside(""))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that stays until it is killed."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def calls(notes: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in notes.read_text().splitlines()]


def test_objects_are_applied_on_the_servers_side(cluster: Cluster, notes: Path) -> None:
    """Text and data go to one kubectl, as the cluster's administrator, into the namespace that is named."""
    cluster.apply("kind: A", {"kind": "B"}, space="there")

    (call,) = calls(notes)
    assert call["called"] == ["apply", "--server-side", "--namespace=there", "--filename=-"]
    assert [each["kind"] for each in yaml.safe_load_all(str(call["given"]))] == ["A", "B"]
    assert call["as"] == "/the/kubeconfig"


def test_namespace_goes_with_its_test(cluster: Cluster, notes: Path) -> None:
    """A test's namespace demands what it says of pods, and is deleted also where the test fails."""
    with pytest.raises(RuntimeError), cluster.space(enforced="baseline") as name:
        raise RuntimeError

    create, label, delete = (
        " ".join(map(str, call["called"])) for call in calls(notes) if isinstance(call["called"], list)
    )
    assert create == f"create namespace {name}"
    assert label.endswith("pod-security.kubernetes.io/enforce=baseline")
    assert delete.startswith(f"delete namespace {name}")


def test_evidence_has_what_containers_said(cluster: Cluster, tmp_path: Path) -> None:
    """Objects and logs are kept, also of containers that ended before; what cannot be had is said."""
    evidence.collect(cluster, tmp_path / "kept")

    kept = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    assert set(kept) == {"objects.txt", "pods.yaml", "nodes.txt", "a.b.log", "a.b.previous.log"}
    assert kept["a.b.log"] == "logs b\n"
    assert "no previous container" in kept["a.b.previous.log"]


def test_failure_says_what_the_program_said() -> None:
    """An error names the program, its status and the end of what it said; one that is missing is named."""
    with pytest.raises(ClusterError, match=r"sh failed with 4:\nthe reason"):
        output(["sh", "-c", "echo the reason >&2; exit 4"])
    with pytest.raises(ClusterError, match="no-such-program is not installed"):
        output(["no-such-program"])


def test_machine_that_refuses_namespaces_has_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel said is told, before anything was started."""
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho Operation not permitted >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(ClusterError, match="Operation not permitted"):
        namespace.check()


def test_process_finds_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the network of this machine's cluster that one is meant, else whatever KUBECONFIG names, else none."""
    monkeypatch.delenv(INSIDE, raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert network.find() is None

    monkeypatch.setenv("KUBECONFIG", "/some")
    monkeypatch.setenv(LOAD, "kind load image-archive {archive}")
    assert network.find() == Outside("kind load image-archive {archive}")

    monkeypatch.setenv(INSIDE, "/place")
    assert network.find() == Inside(Place(Path("/place")))


def test_other_cluster_is_given_images_as_its_owner_says(tmp_path: Path) -> None:
    """The command line gets the archive's name; without one nothing is done; its programs are nobody's to kill."""
    archive = tmp_path / "with space.tar"
    archive.write_text("image")

    Outside(f"cp {{archive}} {tmp_path}/copy").load(archive)
    Outside("").load(archive)

    assert (tmp_path / "copy").read_text() == "image"
    with pytest.raises(ClusterError, match="kube-apiserver"):
        Outside("").restart("kube-apiserver")


def test_port_that_is_not_forwarded_is_an_error(notes: Path) -> None:
    """A kubectl that ends instead of forwarding is noticed at once."""
    with pytest.raises(ClusterError, match="does not forward"), Outside("").reach("space", "service", 80):
        pass
    assert "port-forward" in notes.read_text()


def test_cluster_is_known_by_its_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A process keeps a cluster while it lives; a number that another process has got by now does not."""
    place = Place(tmp_path)
    assert namespace.keeper(place) is None

    born = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19]
    place.process.write_text(f"{sleeper.pid} {born}")
    assert namespace.keeper(place) == sleeper.pid
    assert namespace.inside(place, ["ls"]) == ["nsenter", f"--net=/proc/{sleeper.pid}/ns/net", "--", "ls"]

    place.process.write_text(f"{sleeper.pid} {int(born) - 1}")
    assert namespace.keeper(place) is None
    with pytest.raises(ClusterError, match="there is no cluster"):
        namespace.inside(place, ["ls"])


def test_cluster_ends_with_its_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """To end a cluster is to kill what keeps it; where there is none nothing happens."""
    place = Place(tmp_path)
    namespace.end(place)
    born = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19]
    place.process.write_text(f"{sleeper.pid} {born}")

    namespace.end(place)

    assert sleeper.wait(5) == -9


@pytest.mark.parametrize("hierarchies", [["."], ["cpu", "memory"]])
def test_cgroups_go_with_all_below_them(
    hierarchies: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree is made in each hierarchy, of either version, and removed from its leaves up; links are no hierarchies."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    for name in hierarchies:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / ("cgroup.controllers" if name == "." else "cgroup.procs")).touch()
    if len(hierarchies) > 1:
        (tmp_path / "link").symlink_to("cpu")

    cgroups.make()
    trees = [tmp_path / name / CGROUP for name in hierarchies]
    assert all(tree.is_dir() for tree in trees)
    (trees[0] / "pods" / "one").mkdir(parents=True)

    cgroups.remove()
    assert not any(tree.exists() for tree in trees)
    cgroups.remove()  # of a cluster that left none


def test_only_folders_that_were_made_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the machine had before stays."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    monkeypatch.setattr(isolation, "FOLDERS", (old, new))

    isolation.make_folders(tmp_path)
    assert new.is_dir()
    isolation.remove_folders(tmp_path)

    assert (old.is_dir(), new.exists()) == (True, False)


def test_missing_programs_are_named_with_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root learns what to install; where nothing is missing nothing happens."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    tools.require({"sh": "dash"})

    with pytest.raises(ClusterError, match="missing: no-such-tool; as root on Debian: apt-get install its-package"):
        tools.require({"sh": "dash", "no-such-tool": "its-package"})
    with pytest.raises(ClusterError, match="run this as root, or name a cluster in KUBECONFIG"):
        tools.require_root()


def test_envoy_gateway_is_told_which_image_it_is() -> None:
    """The chart's template of values names the image that was built; the Envoys it starts are the machine's too."""
    (chart,) = ENVOY_GATEWAY.charts
    filled = yaml.safe_load(chart.values("image: ${GatewayImage}\npolicy: ${GatewayImagePullPolicy}\n"))
    proxy, _ = yaml.safe_load_all((MANIFESTS / "envoy-gateway.yaml").read_text())

    assert filled == {"image": names.own("envoy-gateway"), "policy": "IfNotPresent"}
    container = proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]["container"]
    assert container["image"] == names.own(envoy.NAME)


def test_istio_is_told_which_images_it_is() -> None:
    """Its values name the images that were built, so that no node asks a registry."""
    values = yaml.safe_load((MANIFESTS / "istio.values.yaml").read_text())

    assert (values["image"], values["global"]["proxy"]["image"]) == tuple(map(names.own, ISTIO.images))
    assert ISTIO.images[1] == istio_proxy.NAME


@pytest.mark.parametrize("gateway", [ENVOY_GATEWAY, ISTIO], ids=attrgetter("name"))
def test_gateway_needs_what_defines_its_resources(gateway: Gateway) -> None:
    """Gateway API and InferencePool come from one place for all gateways, which so can be beside one another."""
    assert gateway.programs == ("crds", "gateways", gateway.name, "helm")


@pytest.mark.parametrize("name", ["envoy-gateway", "istio", "gie-conformance"])
def test_gateway_of_a_named_cluster_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With KUBECONFIG nothing is installed, and nothing run against what is there."""
    monkeypatch.delenv(INSIDE, raising=False)
    monkeypatch.setenv("KUBECONFIG", "/some")

    said = CliRunner().invoke(command.application, [name])

    assert isinstance(said.exception, ClusterError)
    assert str(said.exception).startswith("KUBECONFIG names a cluster: ")


def test_cluster_that_is_named_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """With KUBECONFIG there is nothing to start, and nothing of the machine's is touched."""
    monkeypatch.setenv("KUBECONFIG", "/some")

    said = CliRunner().invoke(command.application, ["up"])

    assert (said.exit_code, said.output) == (0, "KUBECONFIG names a cluster: /some\n")


def test_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be done is said in a line, and the status tells it."""
    monkeypatch.setattr(command, "PLACE", Place(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(sys, "argv", ["chimera_cluster", "run", "--", "ls"])

    assert command.main() == 1
    assert capsys.readouterr().err == "chimera_cluster: there is no cluster: make cluster\n"
