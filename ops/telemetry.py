"""Logging: one line an event on standard error, for people on a terminal and as JSON elsewhere."""

import logging
import sys

import structlog


def configure_logging(level: str) -> None:
    """Sets up structlog for this process; ``level`` is the least severe that is shown."""
    human = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if human else [structlog.processors.format_exc_info]),
            _for_people() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _for_people() -> structlog.dev.ConsoleRenderer:
    """Without the values of variables, among which are credentials, and with what clients sent as it is quoted: no escapes."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, repr_native_str=True)
