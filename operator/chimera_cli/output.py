"""What commands that measure print alike: a wide console, a bar of progress, and one line where they refuse."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

USAGE_ERROR = 2

# Characters: a figure cut short to fit a narrow terminal or a log file says less than one on a wrapped line.
TABLE_WIDTH = 120


def wide_console() -> Console:
    """Return a console for tables."""
    console = Console(soft_wrap=True)
    console.width = max(console.width, TABLE_WIDTH)
    return console


def progress_bar() -> Progress:
    """Return a progress display on standard error that leaves nothing behind."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def refuse(sentence: str) -> NoReturn:
    """End the command with one line and the status of wrong usage."""
    typer.echo(sentence, err=True)
    raise typer.Exit(USAGE_ERROR)
