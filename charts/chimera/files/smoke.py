"""Make a pool, wait until it is ready, ask it something, delete it: what `helm test` runs.

It asks as a gateway would: the picker which engine, and that engine for an answer. It needs Python and nothing else, so
that any image of Chimera runs it.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # where Kubernetes mounts it in every pod
PICKER_PORT = 9090  # of its management pages
PATIENCE = 30.0  # seconds for one answer
LOOKS = 2.0  # seconds between looks at the pool
GONE = 60.0  # seconds for the pool to be gone

QUESTION = {"messages": [{"role": "user", "content": "What is 17 times 23?"}], "max_tokens": 16}


class SmokeError(Exception):
    """The test failed; its text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An API server, as the account of this pod.

    Attributes:
        url: Of the server.
        token: Of the account.
        trust: The authority that signed its certificate.
    """

    url: str
    token: str
    trust: ssl.SSLContext

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return an answer; None where there is no such object."""
        try:
            return ask(method, self.url + path, body, token=self.token, trust=self.trust)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            said = json.loads(error.read() or b"{}").get("message", error.reason)
            raise SmokeError(f"the API server refuses to {method} {path}: {said}") from None
        except OSError as error:
            raise SmokeError(f"the API server does not answer: {error}") from None


def ask(
    method: str,
    url: str,
    body: Mapping[str, Any] | None = None,
    *,
    token: str = "",
    trust: ssl.SSLContext | None = None,
) -> Any:
    """Return what an address answers, as JSON."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - the cluster's own
    with urllib.request.urlopen(request, timeout=PATIENCE, context=trust) as answer:  # noqa: S310 - same
        return json.load(answer)


def here() -> Cluster:
    """Return the cluster that this pod is in."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    address = f"[{host}]" if ":" in host else host
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    return Cluster(url=f"https://{address}:{port}", token=(ACCOUNT / "token").read_text().strip(), trust=trust)


def run(cluster: Cluster, pool: Mapping[str, Any], *, picker: str, seconds: float) -> None:
    """Run the test.

    Args:
        cluster: Where.
        pool: The pool to make.
        picker: Address of its picker's management pages.
        seconds: What it gets to be ready.

    Raises:
        SmokeError: Something is not as it should be.
    """
    name, namespace = pool["metadata"]["name"], pool["metadata"]["namespace"]
    pools = f"/apis/{pool['apiVersion']}/namespaces/{namespace}/heterogeneousmodelpools"
    end(cluster, f"{pools}/{name}")  # of a test that was stopped
    say(f"making the pool {namespace}/{name}")
    if cluster.call("POST", pools, pool) is None:
        raise SmokeError("the API server knows no HeterogeneousModelPool: its definition is missing")
    try:
        await_ready(cluster, f"{pools}/{name}", seconds)
        decision = decide(picker, cluster.token)
        say(f"the picker chose {decision['model']} on {decision['endpoint']}")
        pod = cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods/{decision['endpoint']}")
        say(f"it answered: {answer(pod, decision['model'])}")
    finally:
        end(cluster, f"{pools}/{name}")
    say("the pool is gone")


def await_ready(cluster: Cluster, path: str, seconds: float) -> None:
    """Wait until a pool is ready, and say what it waits for."""
    deadline, said = time.monotonic() + seconds, ""
    while True:
        found = (cluster.call("GET", path) or {}).get("status", {}).get("conditions", ())
        conditions: Mapping[str, Mapping[str, str]] = {each["type"]: each for each in found}
        ready, accepted = conditions.get("Ready", {}), conditions.get("Accepted", {})
        if ready.get("status") == "True":
            return
        told = accepted if accepted.get("status") == "False" else ready
        news = f"{told.get('reason', 'Unknown')}: {told.get('message') or 'no operator has looked at it yet'}"
        if time.monotonic() > deadline:
            raise SmokeError(f"not ready after {seconds:.0f} s: {news}")
        if news != said:
            say(f"not ready yet: {news}")
        said = news
        time.sleep(LOOKS)


def decide(picker: str, token: str) -> Mapping[str, str]:
    """Return what a picker decides about the question."""
    try:
        url = f"{picker}/chimera/v1/explain"
        decision: Mapping[str, str] = ask("POST", url, {**QUESTION, "model": "auto"}, token=token)
    except OSError as error:
        raise SmokeError(f"the picker does not decide: {error}") from None
    return decision


def answer(pod: Mapping[str, Any], model: str) -> str:
    """Return what an engine answers."""
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    host = pod["status"]["podIP"]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        completion = ask("POST", f"http://{address}/v1/chat/completions", {**QUESTION, "model": model})
    except OSError as error:
        raise SmokeError(f"the engine does not answer: {error}") from None
    return str(completion["choices"][0]["message"]["content"])


def end(cluster: Cluster, path: str) -> None:
    """Delete a pool, if it is there, and wait until it is gone."""
    deadline = time.monotonic() + GONE
    while cluster.call("DELETE", path) is not None:
        if time.monotonic() > deadline:
            raise SmokeError(f"not gone after {GONE:.0f} s")
        time.sleep(LOOKS)


def say(line: str) -> None:
    """Print a line of the test's log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    """Run the test on the pool of a file; return the exit code."""
    pool = json.loads(Path(argv[0]).read_text())
    name, namespace = pool["metadata"]["name"], pool["metadata"]["namespace"]
    try:
        run(
            here(),
            pool,
            picker=f"http://{name}-picker.{namespace}.svc:{PICKER_PORT}",
            seconds=float(argv[1]),
        )
    except SmokeError as error:
        say(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
