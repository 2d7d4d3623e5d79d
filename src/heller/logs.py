"""What the long-running processes log: JSON lines for programs, plain lines on a terminal. Never a local variable."""

import sys

import structlog


def configure() -> None:
    """Set structlog up for this process, unless its owner has."""
    if structlog.is_configured():
        return
    is_terminal = sys.stderr.isatty()
    tail: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if is_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *tail,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
