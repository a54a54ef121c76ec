"""What the fault scripts make of their measurements, and the Envoys that they ask for."""

from typing import Any

import pytest
from rich.console import Console

from chimera_bench.chaos import __main__ as command
from chimera_bench.chaos import gateways, healthy
from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.outage import Outage
from chimera_bench.load import gateway
from chimera_bench.load.client import BROKEN, Sample
from chimera_operator.local.errors import LocalError
from chimera_operator.rendering.envoy import bootstrap


def sample(due: float, *, seconds: float = 0.01, status: int = 200) -> Sample:
    return Sample(due=due, first=None, ended=due + seconds, status=status, engine="")


def test_outage_is_of_the_requests_that_the_fault_could_touch() -> None:
    """Those under way count, those that were over do not."""
    samples = [sample(0.0), sample(0.9, seconds=0.5), sample(1.2, status=500), sample(1.4, status=BROKEN), sample(2.0)]

    outage = Outage.of(samples, at=1.0)

    assert (outage.asked, outage.failed, outage.share) == (4, 2, 0.5)
    assert outage.statuses == {500: 1, BROKEN: 1}
    assert outage.slowest == pytest.approx(0.5)
    assert outage.recovery == pytest.approx(0.4)


def test_outage_says_what_it_was() -> None:
    """In a line, also where there was none."""
    failed = Outage.of([sample(1.0), sample(1.2, status=500, seconds=0.1)], at=1.0)

    assert str(failed) == "1 of 2 failed (1 × 500), the slowest after 0.10 s, the last 0.20 s after the fault"
    assert str(Outage.of([sample(1.0)], at=1.0)) == "0 of 1 failed"
    assert Outage.of([], at=1.0).share == 0.0


def test_healthy_traffic_is_parted_by_the_turns_in_which_it_was_sent() -> None:
    """The first turn is one of peace; what was sent at the beginning of a turn belongs to none."""
    alone, beside = [0.5, 3.9], [1.9, 2.1]
    samples = [sample(due, seconds=0.1) for due in alone] + [sample(due, seconds=0.2) for due in beside]
    echo, lost = sample(3.1, seconds=9.0), sample(2.0, status=500)

    compared = healthy._compared([*samples, echo, lost], ends=[1.5, 3.0, 4.5])

    assert compared.alone == pytest.approx([0.1, 0.1])
    assert compared.beside == pytest.approx([0.2, 0.2])
    assert (compared.growth, compared.failed, compared.unharmed) == (pytest.approx(1.0), 1, False)
    assert "p99 100.0 → 200.0 ms (+100%), 1 of them failed" in str(compared)


def test_healthy_traffic_may_wait_a_little_longer() -> None:
    """By less than a fifth at p99, if nothing fails."""
    assert healthy.Compared(alone=[0.1], beside=[0.115], failed=0).unharmed
    assert not healthy.Compared(alone=[0.1], beside=[0.125], failed=0).unharmed


def edited(*edits: gateways.Edit) -> dict[str, Any]:
    document = bootstrap(port=1, picker_port=2)
    for edit in edits:
        edit(document)
    return document


def test_replicas_are_asked_for_their_health() -> None:
    """All of them, by the service that gateways ask for; none is taken that does not serve."""
    picker = gateways._cluster(edited(gateways.replicas([2, 3]), gateways.checking_health), "picker")

    assert [each["endpoint"]["address"] for each in picker["load_assignment"]["endpoints"][0]["lb_endpoints"]] == [
        gateway.address(2),
        gateway.address(3),
    ]
    assert picker["health_checks"][0]["grpc_health_check"]["service_name"] == gateways.HEALTH
    assert picker["common_lb_config"]["healthy_panic_threshold"]["value"] == 0


def test_failing_open_leads_to_members_of_the_pool() -> None:
    """And to nobody whom a client names: the engines are a list, no longer whatever a header says."""
    document = edited(gateways.failing_open([5, 6]))
    engines = gateways._cluster(document, "engines")

    assert gateways.picker_filter(document)["failure_mode_allow"]
    assert engines["type"] == "STATIC"
    assert len(engines["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 2


def test_edits_add_up() -> None:
    """Each changes its own part."""
    document = edited(gateways.replicas([2]), gateways.detecting_outliers, gateways.pinging(1.0))
    gateways.impatient(0.5)(document)
    gateways.buffered(document)
    picker, asking = gateways._cluster(document, "picker"), gateways.picker_filter(document)

    assert "health_checks" not in picker
    assert picker["outlier_detection"]["consecutive_local_origin_failure"] == 1
    (options,) = picker["typed_extension_protocol_options"].values()
    assert options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"] == {
        "interval": "1s",
        "timeout": "0.5s",
    }
    assert asking["message_timeout"] == "0.5s"
    assert asking["processing_mode"]["request_body_mode"] == "BUFFERED"
    assert asking["processing_mode"]["request_header_mode"] == "SEND"


GOOD = Finding(row="1", fault="a kill", rule="it lives", figure="it does", passed=True)


@pytest.mark.anyio
async def test_rows_are_run_in_turn_and_failures_are_findings() -> None:
    """A script whose conditions never come about has found that."""
    told: list[str] = []

    async def fine() -> list[Finding]:
        """Kill."""
        return [GOOD]

    async def stuck() -> list[Finding]:
        """Wait in vain."""
        raise LocalError("not within 5 s: pigs fly")

    found = await command.run(["1", "2"], tell=told.append, scripts={"1": (fine,), "2": (stuck,)})

    assert found == [
        GOOD,
        Finding(row="2", fault="Wait in vain.", rule="", figure="not within 5 s: pigs fly", passed=False),
    ]
    assert told == ["row 1: fine", "row 2: stuck"]


def test_findings_are_a_table() -> None:
    """With what does not hold in capitals, and the machine's other load."""
    console = Console(width=160)
    with console.capture() as capture:
        console.print(
            command.table([GOOD, Finding(row="2", fault="b", rule="c", figure="d", passed=False)], others=1.25)
        )

    shown = capture.get()
    assert "holds" in shown
    assert "DOES NOT HOLD" in shown
    assert "Other work took 1.2 cores" in shown


def test_unknown_rows_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit) as ended:
        command.main(["--rows", "99"])

    assert ended.value.code == 2
    assert "there is no row 99" in capsys.readouterr().err
