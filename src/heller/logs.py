"""Logs: one JSON object a line on standard error (words on a terminal), with ids and without personal data.

Request, user and key ids are bound with ``structlog.contextvars`` by whoever knows them. An e-mail address, a secret or
the password in a URL never gets into a line, whatever a message or an error says.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_EMAIL = re.compile(r"[^\s@'\"<>=:/]+@[^\s@'\"<>]+\.[^\s@'\"<>.,;)]+")
_PASSWORD = re.compile(r"(\w+://[^\s:/@]*):\S+@")
_NAMED_PASSWORD = re.compile(r"(\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'\"]+)")
_SECRET = re.compile(r"\b(whsec|sk_live|sk_test|rk_live|rk_test|heller_[0-9a-f]{12})_[\w-]+")
PERSONAL = frozenset(
    {
        "email",
        "e_mail",
        "name",
        "ip",
        "address",
        "phone",
        "authorization",
        "cookie",
        "password",
        "secret",
        "token",
    }
)
"""Fields that are left out."""

# without the variables of the frames: they hold whatever was worked on
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

Event = MutableMapping[str, Any]


def configure(*, terminal: bool | None = None) -> None:
    """Log from now on, in this process: words where standard error is a terminal, JSON everywhere else.

    What libraries log (the driver, the web server) is said the same way, from warnings on.
    """
    is_terminal = sys.stderr.isatty() if terminal is None else terminal
    ending: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if is_terminal
        else [
            _TRACEBACKS,
            without_personal_data,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_personal_data,
    ]
    structlog.configure(
        processors=[*common, *ending],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_over_libraries(common, ending)


class _Libraries(logging.Handler):
    """Prints what libraries log, to the standard error of that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; a reader who has gone is no reason to stop."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except OSError:
            return


def _take_over_libraries(common: list[Any], ending: list[Any]) -> None:
    handler = _Libraries()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if not isinstance(kept, _Libraries)] + [handler]


def without_secrets(text: str) -> str:
    """A text without what opens something: passwords in URLs, Stripe's secrets, API keys."""
    return _SECRET.sub(r"\1_...", _NAMED_PASSWORD.sub(r"\1...", _PASSWORD.sub(r"\1:...@", text)))


def without_personal_data(_logger: Any, _method: str, event: Event) -> Event:
    """Leave out fields that name a person, and strike out what names one, or opens something, inside texts."""
    return {name: _struck(value) for name, value in event.items() if name not in PERSONAL}


def _struck(value: Any) -> Any:
    if isinstance(value, str):
        return _EMAIL.sub("<e-mail>", without_secrets(value))
    if isinstance(value, dict):
        return {name: _struck(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_struck(inner) for inner in value]
    return value
