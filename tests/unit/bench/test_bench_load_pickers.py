"""The files and command lines of the pickers that are measured, and the Envoy before them."""

import json
from pathlib import Path

import pytest

from chimera_bench.load import gateway, pickers, pool
from chimera_bench.load.pickers import Chimera, Go
from chimera_operator.local.errors import BadInputError
from chimera_router import arguments, settings
from chimera_router.datalayer import discovery
from chimera_router.protocol.events import Accounting
from chimera_router.transports import Transport

ENGINES = (18_001, 18_002, 18_003, 18_004)


@pytest.mark.parametrize(
    ("name", "transport", "accounting", "shown"),
    [
        ("native-observe", Transport.NATIVE, Accounting.OBSERVE, "Observe"),
        ("grpc-skip", Transport.GRPC, Accounting.SKIP, "Skip"),
        ("native-auto", Transport.NATIVE, None, "Auto"),
        ("native-skip@auto", Transport.NATIVE, Accounting.SKIP, "Auto"),
    ],
)
def test_this_picker_is_named_by_transport_and_mode(
    tmp_path: Path, name: str, transport: Transport, accounting: Accounting | None, shown: str
) -> None:
    """Its own code reads the files and the command line; Envoy shows it as much as it looks at, or as is said."""
    picker = pickers.picker(name)
    assert isinstance(picker, Chimera)

    command = picker.command(tmp_path, ENGINES, 9002)

    told = arguments.parse(command.argv[3:])
    assert (told.transport, told.grpc_port, told.insecure) == (transport, 9002, True)
    assert settings.load(told.config).accounting is accounting
    assert (picker.gateway, picker.kind) == (shown, transport.value)


def test_pool_has_three_models_on_four_engines(tmp_path: Path) -> None:
    """All are known to the default bundle; with more engines the models take turns."""
    (tmp_path / pool.CONFIG).write_text(pool.config())
    (tmp_path / pool.ENDPOINTS).write_text(pool.endpoints((*ENGINES, 18_005)))

    configured = settings.load(tmp_path / pool.CONFIG)
    listed = discovery.read(tmp_path / pool.ENDPOINTS, models=configured.models)

    assert [endpoint.model for endpoint in listed] == ["small", "small", "mid", "large", "small"]
    assert configured.bundle.path is None


def test_configuration_can_be_changed() -> None:
    """Field by field."""
    assert json.loads(pool.config("SKIP", limits={"maxReading": 5}))["limits"] == {"maxReading": 5}


def test_floor_is_no_picker() -> None:
    """It is Envoy alone."""
    assert pickers.picker("floor") is None


@pytest.mark.parametrize("name", ["", "native", "native-all", "http-skip", "native-skip@some"])
def test_other_pickers_are_refused(name: str) -> None:
    """With those that there are."""
    with pytest.raises(BadInputError, match=r"must be floor, go, or native\|grpc-observe"):
        pickers.picker(name)


def test_the_go_picker_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a program there it takes no part."""
    monkeypatch.delenv("GO_PICKER", raising=False)
    with pytest.raises(BadInputError, match="GO_PICKER must be the path"):
        pickers.picker("go")

    program = tmp_path / "picker"
    program.touch()
    monkeypatch.setenv("GO_PICKER", str(program))
    assert pickers.picker("go") == Go(path=str(program))


def test_the_go_picker_gets_its_charts_plugins(tmp_path: Path) -> None:
    """Scorers with their weights, endpoints from a file, metrics from the engines; plain text, no traces."""
    command = Go(path="/go").command(tmp_path, ENGINES, 9002)

    config = json.loads((tmp_path / "go-picker.yaml").read_text())
    (profile,) = config["schedulingProfiles"]
    assert [(each["pluginRef"], each["weight"]) for each in profile["plugins"]] == [
        ("queue-scorer", 2),
        ("kv-cache-utilization-scorer", 2),
        ("prefix-cache-scorer", 3),
    ]
    listed = json.loads(Path(config["plugins"][0]["parameters"]["path"]).read_text())["endpoints"]
    assert [each["port"] for each in listed] == [str(port) for port in ENGINES]
    assert {"--secure-serving=false", "--tracing=false"} <= set(command.argv)
    assert command.argv[command.argv.index("--grpc-port") + 1] == "9002"


def test_envoy_has_a_floor_beside_the_picker() -> None:
    """The same listener without the filter that asks the picker, over the engines in turn."""
    document = gateway.measured(port=1, floor_port=2, picker_port=3, engines=ENGINES, accounting="Auto")

    asking, floor = document["static_resources"]["listeners"]
    with_picker, without = gateway.connection_manager(asking), gateway.connection_manager(floor)
    assert [each["name"].rpartition(".")[2] for each in with_picker["http_filters"]] == ["ext_proc", "router"]
    assert [each["name"].rpartition(".")[2] for each in without["http_filters"]] == ["router"]
    assert "access_log" in with_picker
    assert "access_log" not in without
    assert (asking["address"], floor["address"]) == (gateway.address(1), gateway.address(2))
    assert asking["per_connection_buffer_limit_bytes"] == floor["per_connection_buffer_limit_bytes"] == 32_768
    *_, engines = document["static_resources"]["clusters"]
    assert len(engines["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 4
