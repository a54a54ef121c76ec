"""Log one JSON object a line; events are constants, values are fields.

Libraries log sentences and tracebacks that repeat what they were given, tokens and prompts among it. Of theirs only the
place and the kind of exception are kept.
"""

import logging
import sys

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
