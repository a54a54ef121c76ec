"""What `helm test` runs finds out whether a pool is made, decides and answers, and leaves nothing behind."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from charts import CHART

NAMESPACE, NAME = "models", "smoke"
POOL = {
    "apiVersion": "chimera.dev/v1alpha1",
    "kind": "HeterogeneousModelPool",
    "metadata": {"name": NAME, "namespace": NAMESPACE},
}
POOLS = f"/apis/chimera.dev/v1alpha1/namespaces/{NAMESPACE}/heterogeneousmodelpools"


class World:
    """An API server, a picker and an engine, at one address.

    Attributes:
        url: Of all three.
        there: Whether the pool exists.
        looks: How often it is looked at before it is ready; never where negative.
        accepted: Whether its operator takes it.
        asked: Methods and paths of calls, with the bearer of each.
        refused: Paths that are answered with 403.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.there = False
        self.looks = 2
        self.accepted = True
        self.asked: list[tuple[str, str, str]] = []
        self.refused: set[str] = set()
        self._port = port

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path in self.refused:
            return 403, {"message": "it is forbidden"}
        match method, path:
            case "POST", "/chimera/v1/explain":
                assert body["model"] == "auto"
                return 200, {"model": "small", "endpoint": "small-0"}
            case "POST", "/v1/chat/completions":
                assert body["model"] == "small"
                return 200, {"choices": [{"message": {"content": "(simulated) 391"}}]}
            case "GET", "/api/v1/namespaces/models/pods/small-0":
                ports = [{"containerPort": self._port}]
                return 200, {"status": {"podIP": "127.0.0.1"}, "spec": {"containers": [{"ports": ports}]}}
            case _:
                return self._pools(method)

    def _pools(self, method: str) -> tuple[int, dict[str, Any]]:
        if method == "POST":
            self.there = True
            return 201, POOL
        if not self.there:
            return 404, {"message": "there is none"}
        if method == "DELETE":
            self.there = False
            return 200, {}
        self.looks -= 1
        if self.looks:
            starting = {"type": "Ready", "status": "False", "reason": "Starting", "message": "small is starting"}
            invalid = {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "spec.models: too few"}
            return 200, {"status": {"conditions": [starting] if self.accepted else [invalid, starting]}}
        return 200, {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


@pytest.fixture
def world() -> Iterator[World]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            status, document = found.answer(self.command, self.path, json.loads(body or b"{}"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = World(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def smoke(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the program, in more of a hurry."""
    spec = importlib.util.spec_from_file_location("chart_smoke", CHART / "files" / "smoke.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LOOKS", 0.01)
    return module


def run(smoke: ModuleType, world: World, *, seconds: float = 5.0) -> None:
    cluster = smoke.Cluster(url=world.url, token="secret", trust=None)  # noqa: S106 - nobody's
    smoke.run(cluster, POOL, picker=world.url, seconds=seconds)


def test_pool_is_made_asked_and_deleted(smoke: ModuleType, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The log says each step; the token goes to API server and picker, and not to an engine."""
    run(smoke, world)

    assert not world.there
    assert capsys.readouterr().out.splitlines() == [
        "making the pool models/smoke",
        "not ready yet: Starting: small is starting",
        "the picker chose small on small-0",
        "it answered: (simulated) 391",
        "the pool is gone",
    ]
    bearers = {(path, bearer) for _, path, bearer in world.asked}
    assert ("/v1/chat/completions", "") in bearers
    assert ("/chimera/v1/explain", "Bearer secret") in bearers


def test_pool_of_a_test_before_goes_first(smoke: ModuleType, world: World) -> None:
    """One that was stopped left its own."""
    world.there = True

    run(smoke, world)

    assert next(method for method, path, _ in world.asked if path.startswith(POOLS)) == "DELETE"
    assert not world.there


def test_what_it_waits_for_is_told(smoke: ModuleType, world: World) -> None:
    """A pool that does not get ready fails with the operator's reason, and is deleted."""
    world.looks = -1

    with pytest.raises(smoke.SmokeError, match=r"^not ready after 0 s: Starting: small is starting$"):
        run(smoke, world, seconds=0.05)
    assert not world.there


def test_pool_that_is_not_accepted_says_why(smoke: ModuleType, world: World) -> None:
    """A pool that its operator does not take fails with the rule that it breaks."""
    world.looks, world.accepted = -1, False

    with pytest.raises(smoke.SmokeError, match=r"^not ready after 0 s: Invalid: spec.models: too few$"):
        run(smoke, world, seconds=0.05)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (POOLS, r"^the API server refuses to POST /apis/.*: it is forbidden$"),
        ("/chimera/v1/explain", "^the picker does not decide: "),
        ("/v1/chat/completions", "^the engine does not answer: "),
    ],
)
def test_failures_say_where(smoke: ModuleType, world: World, path: str, words: str) -> None:
    """Whoever refuses is named, and the pool is deleted all the same."""
    world.refused = {path}

    with pytest.raises(smoke.SmokeError, match=words):
        run(smoke, world)
    assert not world.there


def test_missing_definition_is_named(smoke: ModuleType, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that knows no pools says 404 to one."""
    monkeypatch.setattr(world, "_pools", lambda _method: (404, {}))

    with pytest.raises(smoke.SmokeError, match="its definition is missing"):
        run(smoke, world)


def test_away_is_not_a_failure_of_python(smoke: ModuleType) -> None:
    """Nobody answers: one sentence, no traceback."""
    cluster = smoke.Cluster(url="http://127.0.0.1:1", token="secret", trust=None)  # noqa: S106 - nobody's

    with pytest.raises(smoke.SmokeError, match="the API server does not answer"):
        cluster.call("GET", "/")
