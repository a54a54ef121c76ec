"""The installed vLLM takes what the operator starts it with: held against its own parser."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from vllm_command_lines import POOLS, command_lines, variables

import chimera_vllm
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.plan import Ports, Site, local_plan
from chimera_operator.rendering.profiles import PROFILES
from chimera_vllm.environment import VERSION
from chimera_vllm.site import Site as Prepared

pytestmark = pytest.mark.timeout(1800)

READER = Path(chimera_vllm.__file__).with_name("reading.py")
PROFILE = f"vllm-{VERSION.rpartition('.')[0]}"
WRONG = (("serve", "org/x", "--no-such-flag"), ("serve", "org/x", "--max-num-seqs", "many"))
VARIABLES = frozenset[str]().union(*(variables(each, PROFILE) for each in POOLS.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What vLLM says: of each command line, nothing where it takes it, and which variables it does not know."""

    refusals: Mapping[tuple[str, ...], str]
    unknown_variables: list[str]


@pytest.fixture(scope="session")
def local(pool: HeterogeneousModelPool) -> list[tuple[str, ...]]:
    """Return the command lines of the pool that this suite serves on one machine."""
    ports = Ports(gateway=1, picker=2, management=3, feedback=4, engines=(5, 6))
    machine = Site(folder=Path(), ports=ports, python="python", envoy="envoy", vllm="vllm")
    plan = local_plan(pool, site=machine, speed=1.0, engine="vllm")
    return [command.argv[1:] for command in plan.engines]


@pytest.fixture(scope="session")
def verdicts(vllm: Prepared, local: list[tuple[str, ...]]) -> Verdicts:
    """Ask everything in one go: to import the parser takes half a minute."""
    lines = [*(line for each in POOLS.values() for line in command_lines(each, PROFILE)), *local, *WRONG]
    done = subprocess.run(
        [str(vllm.python), "-P", str(READER)],
        input=json.dumps({"lines": lines, "variables": sorted(VARIABLES)}),
        env=vllm.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    refusals = dict(zip(lines, answer["refusals"], strict=True))
    return Verdicts(refusals=refusals, unknown_variables=answer["unknown_variables"])


def test_the_installed_version_has_a_profile() -> None:
    """Else this suite would prove nothing of what is rendered."""
    assert PROFILE in {each.name for each in PROFILES["VLLM"]}


@pytest.mark.parametrize("name", POOLS)
def test_every_pool_is_taken(verdicts: Verdicts, name: str) -> None:
    """A pool with every field, and all samples, as their pods have them."""
    lines = list(command_lines(POOLS[name], PROFILE))

    assert lines
    assert {line: verdicts.refusals[line] for line in lines} == dict.fromkeys(lines, "")


def test_what_one_machine_runs_is_taken(verdicts: Verdicts, local: list[tuple[str, ...]]) -> None:
    """`chimera up --engine vllm`."""
    assert [verdicts.refusals[line] for line in local] == ["", ""]


def test_the_parser_does_refuse(verdicts: Verdicts) -> None:
    """A flag that vLLM has not, and a value of the wrong type."""
    assert all(verdicts.refusals[line] for line in WRONG)


def test_every_variable_is_known(verdicts: Verdicts) -> None:
    """One of vLLM's own that it does not know would have no effect."""
    assert len(VARIABLES) > 3
    assert verdicts.unknown_variables == []
