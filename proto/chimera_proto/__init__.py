"""The contracts between Chimera's parts, generated from `proto/chimera`, and the version they share."""

from importlib.metadata import version

__version__ = version("chimera")
