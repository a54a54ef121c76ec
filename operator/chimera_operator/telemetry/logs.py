"""Log one JSON object a line; events are constants, values are fields.

Libraries log sentences and tracebacks that repeat what they were given, tokens among it. Of theirs only the place and
the kind of exception are kept.
"""

import logging
import sys
import traceback
from pathlib import Path

import structlog


def configure(level: str) -> None:
    """Send structlog's events of this level and above to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    logging.getLogger("kopf").setLevel(logging.ERROR)  # it warns of what is meant, such as that it gets no signals


def origin(error: BaseException) -> str:
    """Return where an error was raised: all that may be told of one whose text may repeat what it was given."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().log(
            min(record.levelno, logging.CRITICAL) // 10 * 10,  # libraries may have levels in between
            "a library reports",
            library=record.name,
            place=f"{record.module}:{record.lineno}",
            kind=kind and kind.__name__,
        )
