"""Write the probe set that ships with the project: `python -m chimera_training.probes`."""

from chimera_training.probes.generate import generate
from chimera_training.probes.probe import PROBES, write_lines

if __name__ == "__main__":
    PROBES.write_bytes(write_lines(generate()))
