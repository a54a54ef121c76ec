"""Prometheus, with the scrape configuration and the alerts that users get, on a pool that serves."""

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from served_pools import Served, applied, model, pool
from steady_chats import Pace, chatting

from chimera_cluster.cluster import Cluster
from chimera_cluster.network import Inside
from chimera_cluster.programs.catalog import PROGRAMS

pytestmark = pytest.mark.timeout(300)

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
ALERTS = MANIFESTS / "alerts" / "chimera.yaml"
JOBS = {"chimera-operator": 2, "chimera-picker": 2, "chimera-engine": 2}

READER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus}
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs.

    Attributes:
        url: Of its API.
    """

    url: str

    def ask(self, page: str, **parameters: str) -> Any:
        """Return the data that its API answers."""
        asked = f"{self.url}/api/v1/{page}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - this machine's own
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """Return the series of a query."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """A pool of two models that answers while Prometheus looks."""
    if not isinstance(cluster.network, Inside):
        pytest.skip("Prometheus runs beside the pods of this machine's cluster only")
    assert (release, gateway_class) == ("chimera-system", "envoy")
    routing = {"flowControl": {"enabled": True}, "holdLatencySeconds": 5}
    document = pool("assistants", model("small"), model("large"), routing=routing)
    with cluster.space() as space, applied(cluster, space, document) as made:
        yield made


@pytest.fixture(scope="module")
def prometheus(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run Prometheus as an account that may read metrics and nothing else."""
    PROGRAMS.build("prometheus")
    cluster, where = served.cluster, f"--namespace={served.space}"
    folder = tmp_path_factory.mktemp("prometheus")
    cluster.apply(READER, space=served.space)
    binding = f"{served.space}-prometheus"
    account = f"--serviceaccount={served.space}:prometheus"
    cluster.kubectl("create", "clusterrolebinding", binding, "--clusterrole=chimera-metrics-reader", account)
    (folder / "token").write_text(cluster.kubectl("create", "token", "prometheus", where))
    (folder / "prometheus.yaml").write_text(_config(cluster, folder / "token"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = str(PROGRAMS.folder("prometheus") / "prometheus")
    flags = ["--config.file=prometheus.yaml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log, subprocess.Popen([program, *flags], cwd=folder, stderr=log) as process:
        try:
            made = Prometheus(f"http://{address}")
            # A name that nobody serves has the picker refuse something, for its counts.
            asked = ["small", "large", "auto", "nobody"]
            with served.entrance() as url, chatting(Pace(url=url, rate=8, tokens=20, models=asked)):
                _await_targets(made)
                time.sleep(8)  # rates need some scrapes
            yield made
        finally:
            process.terminate()
            cluster.kubectl("delete", "clusterrolebinding", binding)


def _config(cluster: Cluster, token: Path) -> str:
    """Return the manifest for users, less what a pod of the cluster has by itself, and quicker."""
    document = yaml.safe_load((MANIFESTS / "prometheus" / "scrape.yaml").read_text())
    for job in document["scrape_configs"]:
        job["kubernetes_sd_configs"][0]["kubeconfig_file"] = str(cluster.kubeconfig)
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(token)
    pace = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return yaml.safe_dump({**document, "global": pace, "rule_files": [str(ALERTS)]})


def _await_targets(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            up = {series["metric"]["job"]: int(series["value"][1]) for series in prometheus.query("sum by (job) (up)")}
        except OSError:
            up = {}
        if up == JOBS:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not all targets are up: {up}, {prometheus.ask('targets')}")
        time.sleep(0.5)


def expressions(dashboard: Path) -> Iterator[str]:
    """Yield the queries of a dashboard, as Grafana fills them in."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "10s")


def test_every_pod_is_scraped(prometheus: Prometheus, served: Served) -> None:
    """Operators, pickers and engines are found and let Prometheus in; labels say which pool and model each is of."""
    engines = prometheus.query('vllm:num_requests_running{chimera_dev_pool="assistants"}')

    assert {series["metric"]["chimera_dev_model"] for series in engines} == {"small", "large"}
    assert {series["metric"]["namespace"] for series in engines} == {served.space}
    pods = {series["metric"]["pod"] for series in prometheus.query("up")}
    assert set(served.pods()) <= pods


def test_pickers_show_strangers_nothing(served: Served) -> None:
    """Without a token the page of metrics is closed."""
    with (
        served.cluster.network.reach(served.space, "assistants-picker", 9090) as address,
        pytest.raises(urllib.error.HTTPError, match="401"),
    ):
        urllib.request.urlopen(f"http://{address}/metrics", timeout=5)


def test_alerts_are_evaluated_and_quiet(prometheus: Prometheus) -> None:
    """Prometheus evaluates every rule without an error, and on a pool that serves none fires."""
    deadline = time.monotonic() + 20
    while True:
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        if all(rule["health"] == "ok" for rule in rules) or time.monotonic() > deadline:
            break
        time.sleep(0.5)

    assert len(rules) > 10
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


@pytest.mark.parametrize("name", ["operator", "picker", "pool"])
def test_dashboards_ask_what_there_is(prometheus: Prometheus, served: Served, name: str) -> None:
    """Each query of a dashboard is answered and names metrics that pods have; most have series where a pool serves."""
    known = set(prometheus.ask("metadata"))
    filled = {"$namespace": served.space, "$pool": "assistants"}
    answered, unknown = [], set()
    for expression in expressions(MANIFESTS / "dashboards" / f"{name}.json"):
        query = re.sub(r"\$\w+", lambda found: filled[found[0]], expression)
        answered.append(bool(prometheus.query(query)))
        unknown |= {each for each in re.findall(r"[\w:]+(?={)", query) if not {each, _family(each)} & known}

    assert {each for each in unknown if not each.startswith("chimera_shared_")} == set()  # this pool shares nothing
    assert sum(answered) > len(answered) / 2


def _family(metric: str) -> str:
    return re.sub(r"_(bucket|sum|count|total)$", "", metric)


def test_rules_are_as_promtool_wants_them() -> None:
    """Promtool finds nothing to complain about."""
    program = PROGRAMS.build("prometheus") / "promtool"

    done = subprocess.run([program, "check", "rules", ALERTS], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout
