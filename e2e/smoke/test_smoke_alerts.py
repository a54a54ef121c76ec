"""Each alert that ships fires on the series of its fault and on no others; promtool replays them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from chimera_cluster.programs.catalog import PROGRAMS

pytestmark = pytest.mark.timeout(900)  # the first time Prometheus is built

ALERTS = Path(__file__).resolve().parents[2] / "manifests" / "alerts" / "chimera.yaml"
POOL = 'namespace="models",chimera_dev_pool="assistants"'
ENGINE = f'{POOL},chimera_dev_model="small",pod="small-0",engine="0"'
RUNNING, TOKENS = f"vllm:num_requests_running{{{ENGINE}}}", f"vllm:generation_tokens_total{{{ENGINE}}}"
LATER = 40  # minutes after which every fault has lasted long enough

Series = Mapping[str, str]  # values, one a minute, in promtool's notation: first+step x times


@dataclass(frozen=True, slots=True)
class Case:
    """What an alert is about.

    Attributes:
        fault: Series that it fires on.
        fine: Series that it does not fire on, alike but for the fault.
    """

    fault: Series
    fine: Series


def level(series: str, fault: float, fine: float) -> Case:
    """Return the case of a gauge that stays at one value."""
    return Case({series: f"{fault}x60"}, {series: f"{fine}x60"})


def once(series: str) -> Case:
    """Return the case of a counter that moved a moment ago, or long before."""
    return Case({series: "0x35 1x25"}, {series: "1x60"})


CASES: Mapping[str, Case] = {
    "ChimeraOperatorWithoutLeader": level('chimera_operator_leader{pod="a"}', 0, 1),
    "ChimeraPoolsNotBroughtOn": Case(
        {'chimera_operator_reconcile_seconds_count{outcome="failed"}': "0+2x60"},
        {
            'chimera_operator_reconcile_seconds_count{outcome="failed"}': "5x60",
            'chimera_operator_reconcile_seconds_count{outcome="done"}': "0+50x60",
        },
    ),
    "ChimeraOperatorWatchSilent": level('chimera_operator_watch_age_seconds{resource="pods"}', 700, 300),
    "ChimeraPoolNotReady": Case({'chimera_pools{ready="False"}': "1x60"}, {'chimera_pools{ready="True"}': "1x60"}),
    "ChimeraModelFailed": Case({'chimera_models{phase="Failed"}': "1x60"}, {'chimera_models{phase="Ready"}': "1x60"}),
    "ChimeraPickerRefuses": Case(
        {f'chimera_requests_refused_total{{{POOL},code="503"}}': "0+60x60"},
        {
            f'chimera_requests_refused_total{{{POOL},code="503"}}': "0+1x60",
            f'chimera_requests_refused_total{{{POOL},code="404"}}': "0+500x60",
            f"chimera_requests_total{{{POOL}}}": "0+600x60",
        },
    ),
    "ChimeraRequestsHeldLong": Case(
        {
            f'chimera_flow_control_wait_seconds_bucket{{{POOL},le="30"}}': "0x60",
            f'chimera_flow_control_wait_seconds_bucket{{{POOL},le="60"}}': "0+10x60",
            f'chimera_flow_control_wait_seconds_bucket{{{POOL},le="+Inf"}}': "0+10x60",
        },
        {
            f'chimera_flow_control_wait_seconds_bucket{{{POOL},le="30"}}': "0+10x60",
            f'chimera_flow_control_wait_seconds_bucket{{{POOL},le="60"}}': "0+10x60",
            f'chimera_flow_control_wait_seconds_bucket{{{POOL},le="+Inf"}}': "0+10x60",
        },
    ),
    "ChimeraPredictionFallback": Case(
        {
            f'chimera_prediction_fallbacks_total{{{POOL},reason="deadline"}}': "0+20x60",
            f"chimera_prediction_seconds_count{{{POOL}}}": "0+60x60",
        },
        {
            f'chimera_prediction_fallbacks_total{{{POOL},reason="deadline"}}': "0+1x60",
            f"chimera_prediction_seconds_count{{{POOL}}}": "0+60x60",
        },
    ),
    "ChimeraBundleRefused": once(f"chimera_bundles_refused_total{{{POOL}}}"),
    "ChimeraPickerConfigRefused": once(f'chimera_config_reloads_total{{{POOL},result="refused",file="router"}}'),
    "ChimeraDiscoveryStale": level(f'chimera_discovery_age_seconds{{{POOL},pod="a"}}', 300, 30),
    "ChimeraModelUnreachable": Case(
        {
            f'chimera_endpoint_ready{{{POOL},model="small",endpoint="a"}}': "0x60",
            f'chimera_endpoint_ready{{{POOL},model="small",endpoint="b"}}': "0x60",
        },
        {
            f'chimera_endpoint_ready{{{POOL},model="small",endpoint="a"}}': "0x60",
            f'chimera_endpoint_ready{{{POOL},model="small",endpoint="b"}}': "1x60",
        },
    ),
    "ChimeraAnswersFail": Case(
        {
            f'chimera_answers_total{{{POOL},model="small",status="5xx"}}': "0+10x60",
            f'chimera_answers_total{{{POOL},model="small",status="2xx"}}': "0+50x60",
        },
        {
            f'chimera_answers_total{{{POOL},model="small",status="5xx"}}': "0+1x60",
            f'chimera_answers_total{{{POOL},model="small",status="2xx"}}': "0+50x60",
        },
    ),
    "ChimeraSharedWorkflowsDown": level(f'chimera_shared_workflows_up{{{POOL},pod="a"}}', 0, 1),
    "ChimeraCertificateExpires": level(
        f"chimera_certificate_expiry_timestamp_seconds{{{POOL}}}", 6 * 86400, 30 * 86400
    ),
    "ChimeraEngineStuck": Case({RUNNING: "2x60", TOKENS: "100x60"}, {RUNNING: "2x60", TOKENS: "0+100x60"}),
    "ChimeraEngineQueueLong": level(f"vllm:num_requests_waiting{{{ENGINE}}}", 60, 10),
}


def document(alert: str, series: Series, *, firing: int) -> dict[str, object]:
    """Return one test of promtool."""
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    expected = {"expr": expression, "eval_time": f"{LATER}m", "exp_samples": [{"labels": "{}", "value": firing}]}
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [expected],
    }


def test_each_alert_has_its_case() -> None:
    """The cases are of the alerts that ship."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]

    assert {rule["alert"] for group in groups for rule in group["rules"]} == set(CASES)


@pytest.mark.parametrize("alert", CASES)
def test_alert_fires_on_its_fault_alone(alert: str, tmp_path: Path) -> None:
    """On the series of its fault an alert fires; on the same without the fault it does not."""
    case = CASES[alert]
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    tests = [document(alert, case.fault, firing=1), document(alert, case.fine, firing=0)]
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": tests})
    )

    done = subprocess.run(
        [PROGRAMS.build("prometheus") / "promtool", "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
