"""Start the command line, or say what it lacks."""

import sys

USAGE_ERROR = 2


def main() -> None:
    """Run the command line; exit 2 with one line where the installation lacks what the commands need."""
    try:
        from chimera_cli.app import app  # noqa: PLC0415 - what is missing can only be told from here
    except ModuleNotFoundError as missing:
        sys.exit(_lacking(missing.name))
    app()


def _lacking(module: str | None) -> int:
    sys.stderr.write(f"chimera: {module} is not installed: pip install 'chimera[local,train]'\n")
    return USAGE_ERROR


if __name__ == "__main__":
    main()
