"""What the API says when it refuses: one exception, with Stripe's types, codes and status codes.

::

    ApiError              an answer with an ``error`` body
    └── ParameterError    the parameters were at fault before anything ran; never kept for an idempotency key
"""

from typing import Any


class ApiError(Exception):
    """A refusal as Stripe words it: ``status`` is the HTTP status, the rest goes into the error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Hold the parts of the error body; ``extra`` adds keys such as ``decline_code``."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error | self.extra}


class ParameterError(ApiError):
    """A parameter is unknown, missing or of the wrong type; nothing ran."""

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        """Hold the message; the status is always 400."""
        super().__init__(400, message, code=code, param=param)


def missing(kind: str, identifier: str, *, param: str = "id", status: int = 404) -> ApiError:
    """The error for an object that is not there: 404 in a path, 400 in a parameter."""
    return ApiError(status, f"No such {kind}: '{identifier}'", code="resource_missing", param=param)


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A 400: the request makes no sense in the present state."""
    return ApiError(400, message, param=param, code=code)
