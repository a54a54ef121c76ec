"""The containers of an engine's pod: one for each copy of the weights, each an endpoint of its own.

Ranks of one vLLM would not do: it lets others spread over its ranks for mixtures of experts only.
"""

from chimera_operator.rendering.fittings import environment
from chimera_operator.rendering.manifest import Manifest, filled
from chimera_operator.rendering.models.accelerators import engine_resources
from chimera_operator.rendering.models.build import Build
from chimera_operator.rendering.models.outfit import Outfit
from chimera_operator.rendering.models.ports import port, port_name
from chimera_operator.rendering.security import accelerated_security, container_security
from chimera_operator.rendering.timing import drain_lifecycle, engine_probes


def containers(build: Build, outfit: Outfit) -> list[Manifest]:
    """Return the containers of an engine's pod."""
    return [_container(build, outfit, rank, arguments) for rank, arguments in enumerate(outfit.arguments)]


def _container(build: Build, outfit: Outfit, rank: int, arguments: list[str]) -> Manifest:
    engine, name = build.member.model.engine, port_name(rank)
    fields = {
        "name": "engine" if rank == 0 else f"engine-{rank}",
        "image": _image(build),
        "imagePullPolicy": engine.image_pull_policy,
        "command": list(build.profile.command),
        "args": arguments,
        "env": environment(outfit.fittings.env, engine.env),
        "ports": [{"name": name, "containerPort": port(rank)}],
        "resources": engine_resources(build.member, build.accelerator, rank),
        **engine_probes(path=build.profile.health, port=name, startup_seconds=engine.startup_seconds),
        "lifecycle": drain_lifecycle(),
        # What an engine said last is why it ended, and status tells it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": accelerated_security() if build.accelerator else container_security(),
        "volumeMounts": list(outfit.fittings.mounts),
    }
    return filled(fields)


def _image(build: Build) -> str:
    of_profile = build.profile.image if build.accelerator else build.profile.cpu_image
    return build.member.model.engine.image or of_profile or build.facts.simulator_image
