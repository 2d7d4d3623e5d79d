"""One operation of ``heller.apply``: its form on the way in, its typed result or error on the way out."""

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from heller.database import refusal
from heller.errors import HellerError, InvalidArgument
from heller.ledger.results import Account, Grant, HoldState, Refusal, Transaction, decoded

OPERATION_BYTES_MAX = 65_536
OPERATIONS_MAX = 10_000
METADATA_DEPTH_MAX = 64
DEFAULT_UNIT = "credit"
DEFAULT_HOLD_SECONDS = 900

Operation = Mapping[str, Any]
Result = Transaction | Account | Grant | HoldState

_COMMON = frozenset({"unit", "actor", "metadata", "if_version", "dry_run"})
_OF_SOME = frozenset({"effective_at", "allow_partial", "min_available_after"})
_encoder = msgspec.json.Encoder()
_KINDS: dict[str, type] = dict.fromkeys(("amount", "hold", "seq", "grant"), int) | dict.fromkeys(
    ("account", "unit", "reason", "actor", "key", "to", "payment"), str
)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # not the text of a backslash followed by u0000


def encoded(operation: Operation) -> bytes:
    """An operation as JSON, checked for what JSON or PostgreSQL cannot hold.

    Raises:
        InvalidArgument: an amount that is not an integer, a NUL character, a value without a JSON form, 64 kB and more.
    """
    for name, value in operation.items():
        if type(value) is not (kind := _KINDS.get(name)) and kind is not None and value is not None:
            _check_kind(name, value, kind)
    if (metadata := operation.get("metadata")) is not None:
        _check_metadata(metadata, METADATA_DEPTH_MAX)
    try:
        text = _encoder.encode({name: value for name, value in operation.items() if value is not None})
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"The operation has no JSON form: {error}", argument="metadata") from error
    if len(text) > OPERATION_BYTES_MAX:
        raise InvalidArgument(
            f"The operation has {len(text)} bytes; at most {OPERATION_BYTES_MAX} are allowed.",
            hint="Keep large data in your own tables and its id in metadata.",
            argument="metadata",
        )
    if b"\\u0000" in text and _NUL.search(text):
        raise InvalidArgument("The operation contains a NUL character", argument="text")
    return text


def known(common: Mapping[str, Any]) -> dict[str, Any]:
    """The options that verbs share, as given. One that this verb has no use for is refused by the ledger, with the reason.

    Raises:
        TypeError: no verb has an option of that name.
    """
    if unknown := common.keys() - _COMMON - _OF_SOME:
        raise TypeError(f"unexpected argument {min(unknown)}; known are {', '.join(sorted(_COMMON))}")
    return dict(common)


def _check_metadata(value: Any, depth: int) -> None:
    """Refuse what JSON cannot say (NaN, infinity) and what no reader should have to follow."""
    if depth == 0:
        raise InvalidArgument(
            f"metadata is nested deeper than {METADATA_DEPTH_MAX} levels",
            hint="Keep large data in your own tables and its id in metadata.",
            argument="metadata",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgument(f"metadata contains {value}, which has no JSON form", argument="metadata")
    for inner in (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    ):
        _check_metadata(inner, depth - 1)


def _check_kind(name: str, value: Any, kind: type) -> None:
    if isinstance(value, kind) and not isinstance(value, bool):
        return
    if kind is int:
        raise InvalidArgument(f"{name} is {value!r}; credits are whole numbers (int)", argument=name)
    raise InvalidArgument(f"{name} is a {type(value).__name__}; it must be text (str)", argument=name)


def result_of(verb: str, raw: Any) -> Result | HellerError:
    """The typed result of one operation, or its typed error."""
    if "error" in raw:
        failed = decoded(raw, Refusal)
        return refusal(failed.error, failed.message, failed.detail)
    if verb == "open_account":
        return decoded(raw, Account)
    if verb in {"hold", "release", "renew"}:
        return decoded(raw, HoldState)
    if "balance_after" in raw:
        return decoded(raw, Transaction)
    return decoded(raw, HoldState) if "placed_at" in raw else decoded(raw, Grant)
