"""What is prepared on this machine, and the variables with which vLLM runs on its CPUs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chimera_vllm import environment, models


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A real vLLM with models to serve.

    Attributes:
        python: The Python that has it.
        hub: A cache of the Hugging Face hub with the models.
    """

    python: Path
    hub: Path

    @property
    def program(self) -> Path:
        """The `vllm` command."""
        return self.python.with_name("vllm")

    @property
    def variables(self) -> Mapping[str, str]:
        """This process's variables, and those that let vLLM find the models and nothing else."""
        path = f"{os.environ['PATH']}:{self.program.parent}"  # behind: `python` and `pytest` stay the project's own
        return {**os.environ, "PATH": path, "HF_HUB_CACHE": str(self.hub), "HF_HUB_OFFLINE": "1", **_CPU}


_CPU = {
    "CUDA_VISIBLE_DEVICES": "",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else every engine would sit on the same core
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",  # two engines share what may be two cores
}


def found() -> Site | None:
    """Return what `python -m chimera_vllm` prepared; None before that."""
    installed, hub = environment.found(), models.place()
    return Site(python=environment.python(installed), hub=hub) if installed and hub.exists() else None
