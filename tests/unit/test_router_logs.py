"""What of libraries' own logs is kept."""

import json
import logging
import subprocess
import sys

SCRIPT = """
import logging
from chimera_router.telemetry import logs
logs.configure("debug")
try:
    raise ValueError("canary")
except ValueError:
    logging.getLogger("some.library").exception("it failed for %s", "canary")
logging.getLogger("some.library").warning(f"canary")
logging.getLogger("some.library").info("canary")
"""


def test_libraries_words_stay_out() -> None:
    """Their place, level and kind of exception are logged, in our form; sentences and tracebacks repeat input."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["library"], line["level"], line["kind"]) for line in lines] == [
        ("a library reports", "some.library", logging.getLevelName(logging.ERROR).lower(), "ValueError"),
        ("a library reports", "some.library", "warning", None),
    ]
    assert "canary" not in done.stderr
