"""The API over HTTP: keys, accounts, faults, idempotency keys, expansion; the handlers are in ``resources``."""

import asyncio
import hashlib
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import stripe_twin.resources  # noqa: F401 - registers the routes
from stripe_twin.api import Call, Handler
from stripe_twin.errors import ApiError, ParameterError, invalid
from stripe_twin.faults import FaultKind, draw_api_fault
from stripe_twin.params import decoded, decoded_json
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.versions import CURRENT_VERSION
from stripe_twin.view import expand_tree, shown
from stripe_twin.world import PLATFORM, World

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255
ANSWER_KEPT_SECONDS = 24 * 3600
REQUESTS_KEPT_MAX = 100_000
BODY_BYTES_MAX = 1_000_000
KEY_PREFIXES = {"sk_test_": False, "rk_test_": False, "sk_live_": True, "rk_live_": True}
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer, and whether it is kept for the idempotency key."""

    status: int
    body: Json
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """One API request, for tests that count them."""

    method: str
    path: str
    status: int | None
    idempotency_key: str | None
    fault: FaultKind | None
    is_replayed: bool


class Broken(Response):
    """An answer that never comes: the connection is closed without one."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Hang up, and wait until that has happened."""
        scope["stripe_twin.hang_up"]()
        while (await receive())["type"] != "http.disconnect":
            pass


def _space_of(world: World, request: Request) -> Space:
    """The account and mode a request acts for; refused without a good key."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    key = credentials.strip() if scheme.lower() == "bearer" else ""
    livemode = next((mode for prefix, mode in KEY_PREFIXES.items() if key.startswith(prefix)), None)
    if not key:
        raise ApiError(401, "You did not provide an API key.")
    if livemode is None or key in world.revoked_keys:
        raise ApiError(401, f"Invalid API Key provided: {key[:8]}***{key[-4:]}")
    account = request.headers.get("stripe-account") or request.headers.get("stripe-context") or PLATFORM
    space = world.store.spaces.get((account, livemode))
    if space is None or account not in space.kinds:
        message = f"The provided key '{key[:8]}***' does not have access to account '{account}' (or that account does not exist)."
        raise ApiError(403, message, code="account_invalid")
    return space


def _parameters(request: Request, body: bytes) -> Json:
    if len(body) > BODY_BYTES_MAX:
        raise ApiError(413, "Request body too large.")
    if request.method != "POST":
        return decoded(request.url.query)
    if request.url.path.startswith("/v2/"):
        return decoded_json(body)
    try:
        return decoded(body.decode())
    except UnicodeDecodeError as error:
        raise ParameterError("Invalid request: the body is not UTF-8") from error


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    if key is not None and len(key) > IDEMPOTENCY_KEY_CHARACTERS_MAX:
        raise invalid(f"The idempotency key must be at most {IDEMPOTENCY_KEY_CHARACTERS_MAX} characters.")
    return key


def _refuse_busy(fault: FaultKind | None) -> None:
    if fault == "429":
        raise ApiError(429, "Request rate limit exceeded.", code="rate_limit")
    if fault == "409":
        raise ApiError(409, "Another request with this key is in progress.", kind="idempotency_error")


class Api:
    """Answers API requests; one for all routes. ``requests`` is the log of what came in."""

    def __init__(self, world: World) -> None:
        """Serve this world."""
        self.world = world
        self.requests: deque[RequestSeen] = deque(maxlen=REQUESTS_KEPT_MAX)

    async def handle(self, request: Request, handler: Handler | None) -> Response:
        """Answer one request, or break it off when a fault says so."""
        body = await request.body()
        world, path = self.world, request.url.path
        request_id = f"req_{world.token(14)}"
        with world.lock:
            fault = draw_api_fault(world.faults, world.dice, world.planned, (request.method, path))
        if fault == "timeout":
            self._note(request, None, fault)
            await self._wait_for_the_caller(request)
            return Broken()
        with world.lock:
            answer, is_replayed = self._answer(request, body, handler, request_id, fault)
        self._note(request, None if fault == "lost" else answer.status, fault, is_replayed=is_replayed)
        if fault == "lost":
            return Broken()
        return self._respond(request, answer, request_id, is_replayed=is_replayed)

    async def _wait_for_the_caller(self, request: Request) -> None:
        """Hold the line until the caller hangs up, or for as long as the fault says."""
        try:
            await asyncio.wait_for(request.receive(), self.world.faults.timeout_seconds)
        except TimeoutError:
            return

    def _note(
        self, request: Request, status: int | None, fault: FaultKind | None, *, is_replayed: bool = False
    ) -> None:
        key = request.headers.get("idempotency-key")
        self.requests.append(RequestSeen(request.method, request.url.path, status, key, fault, is_replayed))

    def _respond(self, request: Request, answer: Answer, request_id: str, *, is_replayed: bool) -> Response:
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", CURRENT_VERSION),
        }
        key = request.headers.get("idempotency-key")
        if key is not None:
            headers["Idempotency-Key"] = key
        if is_replayed:
            headers["Idempotent-Replayed"] = "true"
        if answer.status == SERVER_ERROR:
            headers["Stripe-Should-Retry"] = "false"
        content = json.dumps(answer.body, indent=2)
        return Response(content, answer.status, headers=headers, media_type="application/json")

    def _answer(
        self, request: Request, body: bytes, handler: Handler | None, request_id: str, fault: FaultKind | None
    ) -> tuple[Answer, bool]:
        """The answer, and whether it is one kept from before."""
        try:
            space = _space_of(self.world, request)
            key = _idempotency_key(request)
            _refuse_busy(fault)
            fingerprint = hashlib.sha256(f"{request.url.path}\n".encode() + body).hexdigest()
            kept = self._kept(space, key, fingerprint)
            if kept is not None:
                return kept, True
        except ApiError as error:
            return Answer(error.status, error.body(), is_kept=False), False
        answer = self._run(request, body, handler, space, (request_id, fault))
        if key is not None and answer.is_kept:
            kept_at = self.world.clock.now()
            space.answers[key] = {
                "fingerprint": fingerprint,
                "status": answer.status,
                "body": answer.body,
                "at": kept_at,
            }
        self.world.is_changed = self.world.is_changed or request.method != "GET"
        return answer, False

    def _kept(self, space: Space, key: str | None, fingerprint: str) -> Answer | None:
        kept = space.answers.get(key or "")
        if kept is None or kept["at"] + ANSWER_KEPT_SECONDS < self.world.clock.now():
            return None
        if kept["fingerprint"] != fingerprint:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise ApiError(400, message, kind="idempotency_error")
        return Answer(kept["status"], kept["body"])

    def _run(
        self,
        request: Request,
        body: bytes,
        handler: Handler | None,
        space: Space,
        mark: tuple[str, FaultKind | None],
    ) -> Answer:
        request_id, fault = mark
        broken = Answer(
            SERVER_ERROR, ApiError(SERVER_ERROR, "An unknown error occurred.", kind="api_error").body()
        )
        if fault == "500":
            return broken
        self.world.cause = {"id": request_id, "idempotency_key": request.headers.get("idempotency-key")}
        try:
            result = self._result(request, body, handler, space)
        except ParameterError as error:
            return Answer(error.status, error.body(), is_kept=False)
        except ApiError as error:
            return Answer(error.status, error.body())
        finally:
            self.world.cause = {"id": None, "idempotency_key": None}
        return broken if fault == "500_after" else Answer(200, result)

    def _result(self, request: Request, body: bytes, handler: Handler | None, space: Space) -> Json:
        path = request.url.path
        if handler is None:
            message = f"Unrecognized request URL ({request.method}: {path})."
            raise ApiError(404, message)
        raw = _parameters(request, body)
        expand: Any = raw.pop("expand", [])
        if not isinstance(expand, list):
            raise ParameterError("Invalid array", param="expand")
        result = handler(Call(self.world, space, path, dict(request.path_params), raw))
        if path.startswith("/v2/"):
            return {key: value for key, value in result.items() if not key.startswith("_")}
        version = request.headers.get("stripe-version", CURRENT_VERSION)
        return shown(space, result, version, expand_tree([str(item) for item in expand]))
