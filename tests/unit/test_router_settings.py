import json
from pathlib import Path

import pytest

from chimera_router import settings
from chimera_router.discovery_settings import FileDiscovery, KubernetesDiscovery
from chimera_router.engines.profiles import SGLANG, TRTLLM, VLLM, EngineProfile
from chimera_router.errors import ConfigError
from chimera_router.scheduling.policies import Marginal

COEFFICIENTS = {
    "baseStepMs": 7.2,
    "stepPerSequenceUs": 28.8,
    "prefillUsPerToken": 20.5,
    "maxNumSeqs": 256,
    "kvTokens": "1000000",
}
SMALL = {"name": "small", "aliases": ["gpt-mini"], "coefficients": COEFFICIENTS, "priority": True}
POOL = {"namespace": "models", "inferencePool": "assistants"}

NAMES = {"running": "busy", "waiting": "line", "kvUsage": "cache:full"}


def config(**changes: object) -> str:
    whole = {"pool": "p", "models": [SMALL], "discovery": {"file": {"path": "e.json"}}, **changes}
    return json.dumps({key: value for key, value in whole.items() if value is not None})


def parse(**changes: object) -> settings.PoolSettings:
    return settings.parse(config(**changes), base=Path("/etc/chimera"))


def test_units_become_seconds() -> None:
    """Milliseconds and microseconds of the contract are seconds inside."""
    coefficients = parse().models["small"].coefficients

    assert (coefficients.base_step, coefficients.per_sequence, coefficients.prefill_per_token) == pytest.approx(
        (7.2e-3, 28.8e-6, 20.5e-6)
    )


def test_paths_start_where_the_file_lies() -> None:
    """Relative paths are the configuration's neighbours; absolute ones stay."""
    relative = parse(bundle={"path": "b"})
    absolute = parse(bundle={"path": "/b"})

    assert relative.discovery == FileDiscovery(Path("/etc/chimera/e.json"))
    assert (relative.bundle.path, absolute.bundle.path) == (Path("/etc/chimera/b"), Path("/b"))


def test_defaults_stand_where_nothing_is_said() -> None:
    """The smallest configuration serves by the paper's rule with the packaged bundle."""
    smallest = parse()

    assert (smallest.scheduler.policy, smallest.bundle.path) == (Marginal(), None)
    assert smallest.limits.max_body_bytes == 16 * 1024 * 1024
    assert smallest.models["small"].served_name == "small"


def test_limits_override_one_by_one() -> None:
    """A limit that is set replaces its default and no other."""
    limits = parse(limits={"maxBodyBytes": "100"}).limits

    assert (limits.max_body_bytes, limits.max_json_depth) == (100, 64)


@pytest.mark.parametrize(
    ("said", "max_age"),
    [pytest.param({}, 600.0, id="unset"), pytest.param({"maxAgeSeconds": 120}, 120.0, id="the least")],
)
def test_pool_in_kubernetes_is_a_source(said: dict[str, object], max_age: float) -> None:
    """Endpoints come from an InferencePool where the configuration names one, for ten minutes without a word of it."""
    found = parse(discovery={"kubernetes": {**POOL, **said}}).discovery

    assert found == KubernetesDiscovery(namespace="models", inference_pool="assistants", max_age=max_age)


@pytest.mark.parametrize(
    ("changes", "profile"),
    [
        ({}, VLLM),
        ({"engine": "vllm"}, VLLM),
        ({"engine": "sglang"}, SGLANG),
        ({"engine": "trtllm"}, TRTLLM),
        ({"metrics": NAMES}, VLLM.renamed(running="busy", waiting="line", kv_usage="cache:full")),
        ({"engine": "trtllm", "metrics": NAMES}, TRTLLM.renamed(running="busy", waiting="line", kv_usage="cache:full")),
    ],
)
def test_metrics_are_named_by_the_engine_or_one_by_one(changes: dict[str, object], profile: EngineProfile) -> None:
    """A model's engine is vLLM unless it says otherwise; names of its own take the place of its kind's."""
    assert parse(models=[{**SMALL, **changes}]).engine("small") == profile


def test_engine_of_a_model_that_left_is_read_as_vllm() -> None:
    """An endpoint may be listed for a moment longer than its model."""
    assert parse().engine("gone") == VLLM


def test_adapters_and_prefix_are_read() -> None:
    """Where nothing is said there are none."""
    read, plain = parse(models=[{**SMALL, "adapters": ["tickets"]}], pathPrefix="/llm"), parse()

    assert (read.catalog.adapters, read.models["small"].adapters, read.prefix) == (("tickets",), ("tickets",), "/llm")
    assert (plain.catalog.adapters, plain.prefix) == ((), "")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"pool": None}, "pool: must have a name"),
        ({"models": []}, "models: at least one"),
        ({"models": [{**SMALL, "name": ""}]}, "must have a name"),
        ({"models": [SMALL, SMALL]}, "names must be unique"),
        ({"models": [SMALL, {**SMALL, "name": "other"}]}, "'gpt-mini' stands for two things"),
        ({"models": [{**SMALL, "name": "auto"}]}, "'auto' stands for two things"),
        ({"discovery": None}, "discovery: needs a source"),
        ({"discovery": {"file": {}}}, "discovery.file.path: must be set"),
        ({"discovery": {"kubernetes": {"namespace": "n"}}}, "namespace and inferencePool must be set"),
        ({"discovery": {"kubernetes": {**POOL, "maxAgeSeconds": 119}}}, "maxAgeSeconds: must be at least 120"),
        ({"discovery": {"kubernetes": {**POOL, "maxAgeSeconds": "Infinity"}}}, "maxAgeSeconds: .* finite"),
        ({"discovery": {"kubernetes": {**POOL, "maxAgeSeconds": "NaN"}}}, "maxAgeSeconds"),
        ({"models": [{"name": "small"}]}, "coefficients must be above zero"),
        ({"models": [{**SMALL, "adapters": ["gpt-mini"]}]}, "'gpt-mini' stands for two things"),
        ({"pathPrefix": "llm"}, "pathPrefix: must begin with /"),
        ({"pathPrefix": "/llm/"}, "pathPrefix: must begin with /"),
        ({"routing": {"static": {"model": "nobody"}}}, "routing.static.model: names no model of the pool"),
        ({"modles": []}, "modles"),
        ({"accounting": {"mode": 99}}, "accounting.mode: must be one of the modes"),
        (
            {"models": [SMALL, {**SMALL, "name": "b", "aliases": [], "engine": "vLLM"}]},
            r"models\[1\].engine: must be one",
        ),
        ({"models": [{**SMALL, "metrics": {}}]}, r"models\[0\].metrics: running, waiting and kvUsage"),
        ({"models": [{**SMALL, "metrics": {"running": "a", "waiting": "b"}}]}, r"models\[0\].metrics"),
        ({"models": [{**SMALL, "metrics": {**NAMES, "kvUsage": "b c"}}]}, r"models\[0\].metrics"),
        ({"models": [{**SMALL, "metrics": {**NAMES, "kvUsage": "a\n"}}]}, r"models\[0\].metrics"),
    ],
)
def test_broken_rule_is_named(changes: dict[str, object], rule: str) -> None:
    """A configuration that breaks a rule is refused with the place and the rule."""
    with pytest.raises(ConfigError, match=rule):
        parse(**changes)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"pool": 5}, "pool"),
        ({"accounting": {"mode": "canary"}}, "accounting.mode"),
        ({"limits": {"maxBodyBytes": "canary"}}, "limits.maxBodyBytes"),
        ({"limits": {"bodySeconds": "canary"}}, "limits.bodySeconds"),
        ({"models": [{"name": "m", "priority": "canary"}]}, "models.priority"),
    ],
)
def test_value_that_cannot_be_read_is_not_quoted(changes: dict[str, object], place: str) -> None:
    """The refusal says where it stands, and not what it is."""
    with pytest.raises(ConfigError) as refusal:
        parse(**changes)

    assert str(refusal.value) == f"{place}: not a value that the field takes"


def test_broken_file_is_named(tmp_path: Path) -> None:
    """The refusal names the file."""
    missing, broken = tmp_path / "missing.json", tmp_path / "broken.json"
    broken.write_text("{")

    for path in (missing, broken):
        with pytest.raises(ConfigError, match=path.name):
            settings.load(path)
