"""Engine profiles: what each version is started with it knows."""

import pytest
from pool_documents import model_document, pool_document
from rendered_pools import FACTS, choices, in_cluster, of_kind, options_of, pod_of, rendered
from vllm_command_lines import EVERYTHING
from vllm_flags import recorded

from chimera_operator.api.engine import Engine
from chimera_operator.api.engine_args import OWNED_FLAGS
from chimera_operator.api.errors import PoolError
from chimera_operator.rendering.kinds import DEPLOYMENT
from chimera_operator.rendering.pool import render
from chimera_operator.rendering.profiles import PROFILES, newest
from chimera_router.engines.profiles import PROFILES as METRICS

VLLM = {profile.name: profile for profile in PROFILES["VLLM"]}
HUB = {"huggingFace": {"repo": "org/small", "revision": "main"}}


@pytest.mark.parametrize("name", VLLM)
def test_version_knows_every_flag_that_it_is_started_with(name: str) -> None:
    """Held against the parser of that version's own wheel."""
    pool = in_cluster({**EVERYTHING, "spec": {**EVERYTHING["spec"], "defaults": {"engine": {"profile": name}}}})
    known = recorded(name.removeprefix("vllm-"))

    deployments = of_kind(render(pool, choices(pool), FACTS), DEPLOYMENT)
    options = [
        options_of(pod_of(each)["containers"][0]) for each in deployments if "picker" not in str(each["metadata"])
    ]
    used = {option for each in options for option in each if option}

    assert len(used) > 15
    assert {flag if flag in known else flag.replace("--no-", "--") for flag in used} <= known


def test_newest_version_knows_the_flags_that_belong_to_the_operator() -> None:
    """A flag that no version has is no danger, and a typing error in the list would be one."""
    assert set(OWNED_FLAGS) - {"--model", "--config"} <= recorded("0.33")


def test_model_gets_the_newest_profile_of_its_engine_unless_it_names_one() -> None:
    """A simulator is none of vLLM's versions."""
    assert newest(Engine()).name == "vllm-0.33"
    assert newest(Engine(type="Simulator")).name == "simulator"


@pytest.mark.parametrize(
    ("engine", "line"),
    [
        ({"profile": "vllm-0.1"}, "must be one of vllm-0.32, vllm-0.33"),
        ({"profile": "simulator"}, "must be one of vllm-0.32, vllm-0.33"),
        ({"profile": "vllm-0.33", "type": "Simulator"}, "must be one of simulator"),
    ],
    ids=["unknown", "another engine's", "not the simulator's"],
)
def test_profile_that_is_not_there_is_named_with_those_that_are(engine: dict[str, str], line: str) -> None:
    """A pool may have been written for a newer operator."""
    document = pool_document(model_document("small", source=HUB, engine={"kvTokens": 1, **engine}))

    with pytest.raises(PoolError) as error:
        rendered(document)

    assert str(error.value) == f"spec.models[0].engine.profile: {line}"


def test_router_knows_the_metrics_of_every_profile() -> None:
    """What the operator calls them is what the router reads them by."""
    assert {profile.metrics for profiles in PROFILES.values() for profile in profiles} <= METRICS.keys()


def test_images_are_of_the_profiles_own_version() -> None:
    """Neither follows a tag that moves."""
    for name, profile in VLLM.items():
        tag = f":v{name.removeprefix('vllm-')}."
        assert tag in profile.image
        assert tag in profile.cpu_image
