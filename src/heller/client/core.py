"""What both clients share: how a verb becomes a request, a problem becomes an error, and when to ask again."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import msgspec

from heller import errors
from heller.ledger.results import Grant, Transaction

T = TypeVar("T")

TIMEOUT_SECONDS = 10.0
RETRIES_MAX = 3
PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 5.0
AGAIN = frozenset({429, 502, 503, 504})
_COMMON = frozenset({"unit", "metadata", "dry_run", "if_version"})
_OF_SOME = frozenset({"effective_at", "allow_partial", "min_available_after"})


def address(url: str) -> str:
    """Where heller is served, as requests want it.

    Raises:
        InvalidArgument: it is no address, or one of the API itself.
    """
    parts = urlsplit(url)
    base = url.rstrip("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or base.endswith("/v1"):
        raise errors.InvalidArgument(
            f"{url!r} is not the address of a heller serve.",
            argument="url",
            hint="It looks like https://credits.example.org, without /v1.",
        )
    return base


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One request. The same one may be sent again: a key makes its effect one, or the verb is so by nature."""

    method: str
    path: str
    kind: Any
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    if_version: int | None = None

    def headers(self) -> dict[str, str]:
        """Those that this request needs."""
        headers = {} if self.body is None else {"content-type": "application/json"}
        if self.key is not None:
            headers["idempotency-key"] = self.key
        if self.if_version is not None:
            headers["if-match"] = f'"{self.if_version}"'
        return headers

    def content(self) -> bytes | None:
        """The body as JSON, without what was not given."""
        return None if self.body is None else msgspec.json.encode(_given(self.body))

    def params(self) -> dict[str, Any]:
        """The query, without what was not given."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in _given(self.query).items()
        }

    def result(self, answer: httpx.Response) -> T:
        """What the answer says.

        Raises:
            HellerError: the typed error of its problem.
        """
        if not answer.is_success:
            raise error_of(answer)
        try:
            result: T = msgspec.json.decode(answer.content, type=self.kind)
        except msgspec.MsgspecError:
            raise no_problem(answer, "something else than was asked for") from None
        return result


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def new_key() -> str:
    """The name of an intent that its caller did not name: it lasts for the tries of one call."""
    return f"auto-{uuid4().hex}"


def verb(
    account: str,
    path: str,
    kind: type[T],
    body: Mapping[str, Any],
    common: Mapping[str, Any],
    *,
    key: str | None,
) -> Ask[T]:
    """A change of credits; ``common`` are unit, metadata, dry_run and if_version."""
    return replace(step(account, path, kind, body, common), key=key or new_key())


def step(
    account: str, path: str, kind: type[T], body: Mapping[str, Any], common: Mapping[str, Any]
) -> Ask[T]:
    """A change that needs no key: to do it again is the same. What it has no use for, the server refuses."""
    if unknown := common.keys() - _COMMON - _OF_SOME:
        raise TypeError(f"unexpected argument {min(unknown)}; known are {', '.join(sorted(_COMMON))}")
    rest = {name: value for name, value in common.items() if name != "if_version"}
    return Ask("POST", of(account, path), kind, {**body, **rest}, if_version=common.get("if_version"))


def of(account: str, path: str = "") -> str:
    """The address of an account, or of something of it."""
    return f"/v1/accounts/{part(account)}{path}"


def part(text: str) -> str:
    """A text as one part of a path.

    Raises:
        InvalidArgument: it cannot be one.
    """
    if text in {"", ".", ".."}:
        raise errors.InvalidArgument(f"{text!r} cannot stand in an address.", hint="apply() takes any id.")
    return quote(text, safe="")


def _tree(kind: type[errors.HellerError]) -> Iterator[type[errors.HellerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def error_of(answer: httpx.Response) -> errors.HellerError:
    """The typed error of an answer, the same as the library raises."""
    try:
        problem = answer.json()
        code, message = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return no_problem(answer, "no problem document")
    return error_from(problem, code, message, answer.status_code)


def no_problem(answer: httpx.Response, what: str) -> errors.ApiError:
    """The error of an answer that heller did not write."""
    return errors.ApiError(
        f"The server answered {answer.status_code} and {what}.",
        hint="Is this the address of heller?",
        status=answer.status_code,
    )


def error_from(problem: Mapping[str, Any], code: str, message: str, status: int) -> errors.HellerError:
    """The typed error of a problem document."""
    hint = str(problem.get("hint") or "")
    kind = next(
        (
            kind
            for kind in _tree(errors.HellerError)
            if kind.code == code and not issubclass(kind, errors.ApiError)
        ),
        None,
    )
    if kind is None or kind.__module__ != errors.__name__:
        return errors.ApiError(
            message, hint=hint, status=status, problem=code, request_id=str(problem.get("request_id", ""))
        )
    known = {field.name for field in fields(kind)} - {"message", "hint"}
    return kind(message, hint=hint, **{name: problem[name] for name in known & problem.keys()})


def outcomes(answers: list[dict[str, Any]], kinds: list[Any]) -> list[Any]:
    """The results and errors of a batch, in their places; kind None is a grant's."""
    found: list[Any] = []
    for answer, kind in zip(answers, kinds, strict=True):
        problem = answer.get("problem")
        if problem is None:
            raw = answer["result"]
            found.append(given_or_scheduled(raw) if kind is None else msgspec.convert(raw, kind))
        else:
            found.append(error_from(problem, problem["code"], problem["detail"], problem["status"]))
    return found


def pause(attempt: int, answer: httpx.Response | None) -> float:
    """How long to wait before the next try: what the server says, else longer and longer, never in step with others."""
    said = None if answer is None else answer.headers.get("retry-after")
    if said is not None and said.isdecimal():
        return min(float(said), PAUSE_SECONDS_MAX)
    longest = min(PAUSE_SECONDS * 2.0**attempt, PAUSE_SECONDS_MAX)
    return random.uniform(longest / 2, longest)  # noqa: S311  # jitter


def unreachable(error: httpx.HTTPError) -> errors.ApiUnavailable:
    """The error after the last try."""
    return errors.ApiUnavailable(
        f"heller cannot be reached: {type(error).__name__}: {error}", hint="Try again with the same key."
    )


def given_or_scheduled(raw: dict[str, Any]) -> Transaction | Grant:
    """A grant's result: a Transaction, or a Grant where it is scheduled."""
    return msgspec.convert(raw, Transaction) if "balance_after" in raw else msgspec.convert(raw, Grant)
