"""The command line: `python -m chimera_vllm` prepares vLLM and the models, and says where they are."""

import sys

from chimera_vllm import environment, models
from chimera_vllm.errors import VllmError


def main() -> int:
    """Prepare what is not there yet; return the exit code."""
    if environment.found() is None:
        sys.stdout.write(f"vLLM {environment.VERSION} for CPUs goes to {environment.place()}: 6 GB, some minutes\n")
        sys.stdout.flush()
    try:
        installed = environment.prepared()
        sys.stdout.write(f"vLLM: {installed}\nmodels: {models.prepared(installed)}\n")
    except VllmError as error:
        sys.stderr.write(f"chimera_vllm: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
