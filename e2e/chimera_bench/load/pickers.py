"""The endpoint pickers that are measured: the files each of them reads, and its command line."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chimera_bench.load import pool
from chimera_operator.local.errors import BadInputError
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.rendering.envoy import LOOPBACK

FLOOR = "floor"
"""Envoy without a picker: what the others are held against."""

GO = "go"
GO_PICKER = "GO_PICKER"
"""Variable of the environment with the path of the Go picker (llm-d-router). Without it, it takes no part."""

_MODES = {mode.lower(): mode for mode in ("Observe", "Headers", "Skip", "Auto")}
_TRANSPORTS = ("native", "grpc")


class Picker(Protocol):
    """An endpoint picker that can be started."""

    @property
    def name(self) -> str:
        """As the command line has it."""

    @property
    def kind(self) -> str:
        """What it is, however it is set."""

    @property
    def gateway(self) -> str:
        """How much of answers Envoy shows it; see `rendering.envoy.bootstrap`."""

    def command(self, folder: Path, engines: Sequence[int], port: int) -> Command:
        """Write its files; return what starts it.

        Args:
            folder: For its files.
            engines: Ports of the engines.
            port: Where it is to serve ext_proc, in plain text.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Chimera:
    """This picker.

    Attributes:
        transport: What carries its streams.
        mode: How much of answers it looks at.
    """

    name: str
    gateway: str
    transport: str
    mode: str

    @property
    def kind(self) -> str:
        """Its transport."""
        return self.transport

    def command(self, folder: Path, engines: Sequence[int], port: int) -> Command:
        """Write RouterConfig and endpoints; return what starts it."""
        (folder / pool.CONFIG).write_text(pool.config(self.mode.upper()))
        (folder / pool.ENDPOINTS).write_text(pool.endpoints(engines))
        (management,) = free_ports(1)
        return chimera_command(folder, port=port, management=management, options=("--transport", self.transport))


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """The Go picker with its default plugins, in plain text, traces off as in its chart.

    Attributes:
        path: Of its program.
    """

    path: str
    name: str = GO
    kind: str = GO
    gateway: str = "Observe"

    def command(self, folder: Path, engines: Sequence[int], port: int) -> Command:
        """Write its configuration and endpoints; return what starts it."""
        listed, config = folder / "go-endpoints.yaml", folder / "go-picker.yaml"
        listed.write_text(json.dumps(_go_endpoints(engines)))  # JSON is YAML
        config.write_text(json.dumps(go_config(str(listed))))
        health, pages = free_ports(2)
        argv = (
            *(self.path, "--config-file", str(config), "--pool-name", pool.POOL, "--pool-namespace", pool.POOL),
            *("--secure-serving=false", "--metrics-endpoint-auth=false", "--tracing=false"),
            *("--grpc-port", str(port), "--grpc-health-port", str(health), "--metrics-port", str(pages)),
        )
        return Command(name="picker", argv=argv, ready_url=f"http://{LOOPBACK}:{pages}/metrics")


def chimera_command(folder: Path, *, port: int, management: int, options: Sequence[str] = ()) -> Command:
    """Return what starts this picker on the files in a folder.

    Args:
        folder: Has a RouterConfig and what it names.
        port: Of ext_proc, in plain text.
        management: Port of its pages.
        options: More of its command line.
    """
    argv = (
        *(sys.executable, "-m", "chimera_router", "--config", str(folder / pool.CONFIG), "--host", LOOPBACK),
        *("--grpc-port", str(port), "--management-port", str(management), "--insecure"),
        *options,
    )
    return Command(name="picker", argv=argv, ready_url=f"http://{LOOPBACK}:{management}/readyz")


def picker(name: str) -> Picker | None:
    """Return a picker by its name; None for the floor.

    `native-skip` is this picker with its own HTTP/2, which looks at nothing of answers, behind an Envoy that shows it
    nothing of them; `native-skip@auto` the same behind an Envoy as it is for `auto`, which would show them.

    Raises:
        BadInputError: There is none such.
    """
    if name == FLOOR:
        return None
    if name == GO:
        return _go()
    kind, _, gateway = name.partition("@")
    transport, _, mode = kind.partition("-")
    if transport not in _TRANSPORTS or mode not in _MODES or gateway not in {"", *_MODES}:
        known = f"{FLOOR}, {GO}, or {'|'.join(_TRANSPORTS)}-{'|'.join(_MODES)}, and @{'|'.join(_MODES)} for Envoy's"
        raise BadInputError(f"picker {name}: must be {known}")
    return Chimera(name=name, gateway=_MODES[gateway or mode], transport=transport, mode=_MODES[mode])


def _go() -> Go:
    path = os.environ.get(GO_PICKER, "")
    if not Path(path).is_file():
        raise BadInputError(f"{GO_PICKER} must be the path of the Go picker")
    return Go(path=path)


def go_config(endpoints: str) -> dict[str, Any]:
    """Return the Go picker's configuration: the plugins of its chart with their weights, endpoints from a file."""
    weights = {"queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3}
    discovery = {"path": endpoints, "watchFile": False}
    source, extractor = "metrics-data-source", "core-metrics-extractor"
    return {
        "apiVersion": "llm-d.ai/v1alpha1",
        "kind": "EndpointPickerConfig",
        "plugins": [
            {"name": "file-discovery", "type": "file-discovery", "parameters": discovery},
            *({"type": name} for name in (*weights, source, extractor)),
        ],
        "schedulingProfiles": [
            {"name": "default", "plugins": [{"pluginRef": name, "weight": weight} for name, weight in weights.items()]}
        ],
        "dataLayer": {
            "discovery": {"pluginRef": "file-discovery"},
            "sources": [{"pluginRef": source, "extractors": [{"pluginRef": extractor}]}],
        },
    }


def _go_endpoints(ports: Sequence[int]) -> dict[str, Any]:
    return {"endpoints": [{"name": f"e{port}", "address": LOOPBACK, "port": str(port)} for port in ports]}
