"""Errors over HTTP: RFC 9457 problems whose ``type`` is made of the error's stable ``code``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from starlette.responses import Response

from heller import errors

TYPE = "urn:heller:problem:"
MEDIA_TYPE = "application/problem+json"
MOVING_SECONDS = 1
BUSY_SECONDS = 1

STATUS: dict[type[errors.HellerError], int] = {
    errors.InvalidArgument: 422,
    errors.InsufficientCredits: 402,
    errors.UnknownAccount: 404,
    errors.UnknownTransaction: 404,
    errors.UnknownGrant: 404,
    errors.UnknownHold: 404,
    errors.UnknownMember: 404,
    errors.AccountFrozen: 423,
    errors.AccountAway: 409,
    errors.Refused: 409,
    errors.StaleVersion: 412,
    errors.Busy: 503,
    errors.Conflict: 409,
    errors.PermissionMissing: 500,
    errors.DatabaseError: 503,
    errors.DecisionsNeeded: 409,
    errors.StalePlan: 409,
    errors.ProviderError: 502,
    errors.ApiError: 502,
    errors.ApiUnavailable: 503,
}
"""The HTTP status of an error: that of its nearest class here, else 500."""


@dataclass(eq=False)
class HttpError(errors.HellerError):
    """An error that only HTTP knows; ``headers`` go with the answer."""

    code: ClassVar[str] = "http"
    status: ClassVar[int] = 400

    @property
    def headers(self) -> dict[str, str]:
        """What the answer needs besides its body."""
        return {}


class Unauthenticated(HttpError):
    """Nobody was named, or not believably."""

    code = "unauthenticated"
    status = 401

    @property
    def headers(self) -> dict[str, str]:
        """How to name somebody."""
        return {"www-authenticate": 'Bearer realm="heller"'}


@dataclass(eq=False)
class Forbidden(HttpError):
    """The principal may not do this; ``scope`` is what it would need."""

    code = "forbidden"
    status = 403
    scope: str = ""


class NotFound(HttpError):
    """There is no such thing at this address."""

    code = "not_found"
    status = 404


class MethodNotAllowed(HttpError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"
    status = 405


class TooLarge(HttpError):
    """The body is larger than is read."""

    code = "too_large"
    status = 413


class UnsupportedMediaType(HttpError):
    """The body is not JSON."""

    code = "unsupported_media_type"
    status = 415


class MalformedJson(HttpError):
    """The body cannot be read as JSON."""

    code = "malformed_json"
    status = 400


@dataclass(eq=False)
class TooManyRequests(HttpError):
    """The rate limit is reached; ``retry_after`` seconds from now there is room again."""

    code = "too_many_requests"
    status = 429
    retry_after: int = 1

    @property
    def headers(self) -> dict[str, str]:
        """When to come again."""
        return {"retry-after": str(self.retry_after), "ratelimit-remaining": "0"}


class NotSetUp(HttpError):
    """This installation has no Stripe, or no legacy database."""

    code = "not_set_up"
    status = 501


class Internal(HttpError):
    """A defect of ours; the request id finds it in the log."""

    code = "internal"
    status = 500


def status_of(error: errors.HellerError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, HttpError):
        return error.status
    if isinstance(error, errors.AccountAway) and error.home == "moving":
        return 503
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(error: errors.HellerError, *, request_id: str = "", top_up: str | None = None) -> dict[str, Any]:
    """The problem document of an error."""
    status = status_of(error)
    return {
        **error.details(),
        "type": TYPE + error.code,
        "title": (type(error).__doc__ or error.code).strip().splitlines()[0].replace("``", ""),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint or None,
        "request_id": request_id,
        **({"top_up": top_up} if top_up else {}),
    }


def headers_of(error: errors.HellerError) -> dict[str, str]:
    """The headers that go with an error."""
    if isinstance(error, HttpError):
        return error.headers
    if isinstance(error, errors.AccountAway) and error.home == "moving":
        return {"retry-after": str(MOVING_SECONDS)}
    if status_of(error) == 503:  # noqa: PLR2004  # HTTP
        return {"retry-after": str(BUSY_SECONDS)}
    return {}


def answer(error: errors.HellerError, *, request_id: str = "", top_up: str | None = None) -> Response:
    """The response for an error."""
    return Response(
        msgspec.json.encode(problem(error, request_id=request_id, top_up=top_up)),
        status_code=status_of(error),
        media_type=MEDIA_TYPE,
        headers=headers_of(error),
    )


def invalid(found: Mapping[str, Any], *, skip: int = 0) -> errors.HellerError:
    """The error for what pydantic found first; ``skip`` parts of its place say where the value came from."""
    if found["type"] == "json_invalid":
        return MalformedJson(f"The body is no JSON: {found.get('ctx', {}).get('error', found['msg'])}")
    if found["type"] == "missing" and len(found["loc"]) == skip == 1:
        return MalformedJson("The body is empty.")
    place = ".".join(str(part) for part in found["loc"][skip:]) or "body"
    return errors.InvalidArgument(f"{place}: {found['msg']}", argument=place)
