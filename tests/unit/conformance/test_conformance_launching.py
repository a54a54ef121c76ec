"""The command line that starts a picker."""

import sys
from pathlib import Path

from chimera_conformance.launching import command
from chimera_conformance.target import parse_endpoints

FOLDER = Path("/somewhere/a folder")


def test_placeholders_are_filled_in() -> None:
    """Port, endpoints, folder and the interpreter are put where the line asks for them, each as one argument."""
    line = "{python} -m picker --port={port} --endpoints {endpoints} --files '{folder}/x' --flag"

    found = command(line, port=9002, endpoints=parse_endpoints(["10.0.0.1:80,[::1]:81"]), folder=FOLDER)

    assert found == [
        sys.executable,
        "-m",
        "picker",
        "--port=9002",
        "--endpoints",
        "10.0.0.1:80,[::1]:81",
        "--files",
        "/somewhere/a folder/x",
        "--flag",
    ]


def test_picker_without_endpoints_gets_an_empty_argument() -> None:
    """The second picker of the profile `empty` is told of no endpoints, by an argument that is there and empty."""
    assert command("picker {endpoints} {port}", port=1, endpoints=(), folder=FOLDER) == ["picker", "", "1"]


def test_other_braces_are_left_alone() -> None:
    """What looks like a placeholder and is none stays, as in JSON."""
    assert command("picker '{\"a\": {port}}'", port=1, endpoints=(), folder=FOLDER) == ["picker", '{"a": 1}']
