"""Read command lines with vLLM's own parser: `PYTHON_OF_VLLM reading.py < QUESTIONS`, JSON in and out.

A file of its own, run by path in vLLM's environment. In: `lines`, the words behind `vllm`, and `variables`, names of
variables of vLLM's. Out: for each line what the parser says against it or nothing, and the variables that vLLM has not.
"""

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from vllm import envs
from vllm.entrypoints.cli import serve
from vllm.utils.argparse_utils import FlexibleArgumentParser


def parser() -> FlexibleArgumentParser:
    """Return the parser of the `vllm` command, with its subcommand `serve`."""
    whole = FlexibleArgumentParser()
    commands = whole.add_subparsers(dest="subparser", required=True)
    for command in serve.cmd_init():
        command.subparser_init(commands).set_defaults(command=command)
    return whole


def refusal(whole: argparse.ArgumentParser, line: Sequence[str]) -> str:
    """Return what vLLM says against a command line; nothing where it takes it."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            given = whole.parse_args(line)
            given.command.validate(given)
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def main() -> None:
    """Answer what stands on the standard input."""
    asked: dict[str, Any] = json.load(sys.stdin)
    whole = parser()
    answer = {
        "refusals": [refusal(whole, line) for line in asked["lines"]],
        "unknown_variables": [name for name in asked["variables"] if name not in envs.environment_variables],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
