"""Reading an event: only its type and what it is about. Everything else is fetched anew by converge."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

ID_CHARACTERS_MAX = 255
YEAR_10000 = 253_402_300_800
DIGITS_MAX = 400  # no number of Stripe's has more; the rest would only exhaust a parser

PAYMENT_TYPES: Final = frozenset(
    {
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.failed",
        "charge.refund.updated",
        "charge.refunded",
        "charge.succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "invoice.paid",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "radar.early_fraud_warning.created",
        "refund.created",
        "refund.failed",
        "refund.updated",
    }
)
FRAUD_WARNING = "radar.early_fraud_warning.created"
LOST_EVENTS = "v2.core.health.event_generation_failure.resolved"
KNOWN_TYPES: Final = PAYMENT_TYPES | {LOST_EVENTS}
# Deliveries that must be subscribed to: with fewer, something is only seen by reconcile.
REQUIRED_TYPES: Final = frozenset(
    PAYMENT_TYPES
    - {"charge.succeeded", "charge.failed", "charge.refund.updated", "payment_intent.requires_action"}
)
_STRANGE = re.compile(rb"\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|NaN|Infinity|\d{400}")


class MalformedError(Exception):
    """The bytes were signed, but they are no event."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is read of an event. ``strange`` says why a person should look before it is used."""

    event_id: str
    type: str
    livemode: bool
    account: str
    api_version: str | None
    created: datetime | None
    object_kind: str | None
    object_id: str | None
    payment_key: str | None
    strange: str | None = None


def keyed(account: str, identifier: str) -> str:
    """The payment key of an object: the same id under two accounts is two payments."""
    return f"{account}/{identifier}" if account else identifier


def bare(key: str) -> str:
    """The id in a payment key."""
    return key.rpartition("/")[2]


def reference(value: Any) -> str | None:
    """The id of something that is given by id or expanded."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and value else None


def read(body: bytes) -> Event:
    """The event in a signed body.

    Raises:
        MalformedError: no UTF-8, no JSON object, too deep, or without id, type or mode.
    """
    try:
        data = json.loads(body.decode(), parse_int=_integer)
    except UnicodeDecodeError:
        raise MalformedError("the body is not UTF-8") from None
    except RecursionError:
        raise MalformedError("the body is nested too deep") from None
    except ValueError as error:
        raise MalformedError(f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise MalformedError("the body is not a JSON object")
    event = _thin(data) if data.get("object") == "v2.core.event" else _snapshot(data)
    return event if event.strange or not _STRANGE.search(body) else _strange(event, body)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < DIGITS_MAX else digits


def _strange(event: Event, body: bytes) -> Event:
    if _is_harmless(body):
        return event
    words = "The event has a NUL, a lone surrogate, NaN or a number beyond all reason, which Stripe does not send."
    return Event(
        event.event_id,
        event.type,
        event.livemode,
        event.account,
        event.api_version,
        event.created,
        event.object_kind,
        event.object_id,
        event.payment_key,
        words,
    )


def _is_harmless(body: bytes) -> bool:
    """Whether the suspicion was about text that only looks so: a pair of surrogates, the word NaN in a string."""
    try:
        data = json.loads(body, parse_constant=_refuse, parse_int=_refuse_giant)
        text = json.dumps(data, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def _refuse(word: str) -> None:
    raise ValueError(word)


def _refuse_giant(digits: str) -> int:
    if len(digits) >= DIGITS_MAX:
        raise ValueError(digits[:20])
    return int(digits)


def _text(data: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    value = data.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not 1 <= len(value) <= ID_CHARACTERS_MAX or not value.isprintable():
        raise MalformedError(f"the event's {name} is missing or no plain text")
    return value


def _snapshot(data: Mapping[str, Any]) -> Event:
    content = data.get("data")
    item = content.get("object") if isinstance(content, Mapping) else None
    livemode = data.get("livemode")
    if not isinstance(livemode, bool) or not isinstance(item, Mapping):
        raise MalformedError("the event has no livemode or no data.object")
    account = _text(data, "account", required=False)
    kind, identifier = _plain(item.get("object")), _plain(item.get("id"))
    key = _payment_of(kind, identifier, item)
    created = data.get("created")
    at = (
        datetime.fromtimestamp(created, UTC)
        if isinstance(created, int) and 0 <= created < YEAR_10000
        else None
    )
    return Event(
        _text(data, "id"),
        _text(data, "type"),
        livemode,
        account,
        _plain(data.get("api_version")),
        at,
        kind,
        identifier,
        keyed(account, key) if key else None,
    )


def _plain(value: Any) -> str | None:
    return (
        value
        if isinstance(value, str) and value.isprintable() and 0 < len(value) <= ID_CHARACTERS_MAX
        else None
    )


def _payment_of(kind: str | None, identifier: str | None, item: Mapping[str, Any]) -> str | None:
    """The payment of an object as far as the event tells; the worker asks Stripe for the rest."""
    intent = _plain(reference(item.get("payment_intent")))
    if kind in ("charge", "refund", "dispute", "radar.early_fraud_warning"):
        return intent
    if kind == "payment_intent":
        return identifier
    return intent or identifier if kind == "checkout.session" else None


def _thin(data: Mapping[str, Any]) -> Event:
    related = data.get("related_object")
    item = related if isinstance(related, Mapping) else {}
    livemode = data.get("livemode")
    if not isinstance(livemode, bool):
        raise MalformedError("the event has no livemode")
    account = _text(data, "context", required=False)
    kind, identifier = _plain(item.get("type")), _plain(item.get("id"))
    is_itself = kind in ("payment_intent", "checkout.session") and identifier is not None
    return Event(
        _text(data, "id"),
        _text(data, "type").removeprefix("v1."),
        livemode,
        account,
        None,
        _iso(data.get("created")),
        kind,
        identifier,
        keyed(account, identifier or "") if is_itself else None,
    )


def _iso(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
