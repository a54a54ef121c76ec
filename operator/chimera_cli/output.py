"""What commands that measure print alike: a wide console, and one line where they refuse."""

from typing import NoReturn

import typer
from rich.console import Console

USAGE_ERROR = 2

# Characters: a figure cut short to fit a narrow terminal or a log file says less than one on a wrapped line.
TABLE_WIDTH = 120


def wide_console() -> Console:
    """Return a console for tables."""
    console = Console(soft_wrap=True)
    console.width = max(console.width, TABLE_WIDTH)
    return console


def refuse(sentence: str) -> NoReturn:
    """End the command with one line and the status of wrong usage."""
    typer.echo(sentence, err=True)
    raise typer.Exit(USAGE_ERROR)
