"""Events out: every transaction in the order of recording, and their signed delivery to webhook endpoints.

The transactions are the outbox. A position only moves past what can no longer change, so that a transaction that
commits late is never skipped; events come at least once, in order, with an ``id`` to drop repeats by.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from standardwebhooks import Webhook

from heller.ledger.reads import Reads
from heller.ledger.results import decoded

Position = dict[str, Any]

PAGE_MAX = 1_000
DELIVERY_EVENTS_MAX = 100
DELIVERY_TIMEOUT_SECONDS = 10.0
DELIVERY_SECONDS_MAX = 15.0  # then others have their turn
ANSWER_BYTES_MAX = 65_536  # read so that the connection can be used again; nobody looks at them
ERROR_CHARACTERS_MAX = 500
TEST_TYPE = "heller.test"
LEASE_SECONDS = 120  # more than one delivery can take
IDLE_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events in order and the ``position`` to go on from; ``horizon``: everything before it has been seen."""

    events: list[dict[str, Any]]
    position: Position | None = None
    horizon: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where events are sent to."""

    endpoint: str
    url: str
    failures: int
    due_at: datetime
    disabled: bool
    created_at: datetime
    account: str | None = None
    kinds: list[str] | None = None
    position: Position | None = None
    last_error: str | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed(WebhookEndpoint):
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed(_Signed):
    lease: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One POST of one event: taken when ``error`` is None. ``status_code`` None: there was no answer."""

    at: datetime
    event: str
    status_code: int | None
    error: str | None
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDelivery:
    """One round for one endpoint: how many events it took, and what went wrong, if anything."""

    endpoint: str
    delivered: int
    error: str | None = None


class Events(Reads):
    """What happened, to be followed or to be sent."""

    async def events(
        self,
        *,
        after: Position | None = None,
        limit: int = 100,
        account: str | None = None,
        kinds: Sequence[str] | None = None,
    ) -> EventPage:
        """Events behind a position (None: from the beginning), at most 1,000.

        A new event shows once nothing older can come: about a second after it, if somebody asks that often.
        """
        row = await self._read(
            "events",
            after=after,
            limit=min(limit, PAGE_MAX),
            account_id=account,
            kinds=list(kinds) if kinds is not None else None,
        )
        return decoded(row, EventPage)

    async def put_webhook_endpoint(
        self,
        endpoint: str,
        url: str,
        *,
        secret: str | None = None,
        account: str | None = None,
        kinds: Sequence[str] | None = None,
        position: Position | None = None,
    ) -> WebhookEndpoint:
        """Send events to ``url`` from now on, or from ``position``; again changes it and ends a suspension.

        Args:
            endpoint: a name for it.
            url: https, or http in a private network.
            secret: of the Standard Webhooks form, ``whsec_`` and base64; None keeps that of a known endpoint.
            account: only events of this account.
            kinds: only these kinds of transactions.
            position: from ``events``; None for a new endpoint is now, for a known one where it stands.
        """
        row = await self._read(
            "put_webhook_endpoint",
            endpoint_id=endpoint,
            url=url,
            secret=secret,
            account_id=account,
            kinds=list(kinds) if kinds is not None else None,
            position=position,
        )
        return decoded(row, WebhookEndpoint)

    async def webhook_endpoints(self, *, after: str = "", limit: int = PAGE_MAX) -> list[WebhookEndpoint]:
        """The endpoints by name; at most 1,000 a page, the next page is ``after`` the last one."""
        rows = await self._read_many("webhook_endpoints_list", after=after, limit=limit)
        return [decoded(row, WebhookEndpoint) for row in rows]

    async def webhook_attempts(self, endpoint: str) -> list[DeliveryAttempt]:
        """The last attempts to send events to an endpoint, newest first, at most 50.

        Raises:
            InvalidArgument: there is no such endpoint.
        """
        rows = await self._read_many("webhook_attempts_of", endpoint_id=endpoint)
        return [decoded(row, DeliveryAttempt) for row in rows]

    async def remove_webhook_endpoint(self, endpoint: str) -> bool:
        """Send nothing more there; False when there was no such endpoint."""
        return bool(await self._read("remove_webhook_endpoint", endpoint_id=endpoint))

    async def test_webhook_endpoint(
        self, endpoint: str, client: httpx.AsyncClient | None = None
    ) -> DeliveryAttempt:
        """Send one signed event of type ``heller.test`` to an endpoint at once, also to a disabled one.

        It is no transaction: the position stays, a failure is not counted and the attempt is not kept.

        Raises:
            InvalidArgument: there is no such endpoint.
        """
        signed = decoded(await self._read("webhook_endpoint_signed", endpoint_id=endpoint), _Signed)
        event = {
            "id": f"test:{secrets.token_hex(8)}",
            "type": TEST_TYPE,
            "endpoint": signed.endpoint,
            "recorded_at": datetime.now(UTC).isoformat(),
        }
        if client is None:
            async with httpx.AsyncClient() as own:
                return await _post(own, signed, event)
        return await _post(client, signed, event)

    async def deliver_once(self, client: httpx.AsyncClient | None = None) -> EventDelivery | None:
        """Send the endpoint that has waited longest its next events; None when none is due.

        Each event is one POST, signed by the Standard Webhooks scheme, repeated until a 2xx answer. A failure ends
        the round: the order stays, and the next round comes later and later (up to 6 hours), until after 20 failures
        in a row the endpoint is disabled. A slow endpoint's round ends after 15 seconds. Where somebody changed the
        endpoint meanwhile, what they said stands.
        """
        row = await self._read("claim_webhook_endpoint", lease_seconds=LEASE_SECONDS)
        if row is None:
            return None
        endpoint = decoded(row, _Claimed)
        page = await self.events(
            after=endpoint.position, limit=DELIVERY_EVENTS_MAX, account=endpoint.account, kinds=endpoint.kinds
        )
        if client is None:
            async with httpx.AsyncClient() as own:
                attempts = await _send(own, endpoint, page.events)
        else:
            attempts = await _send(client, endpoint, page.events)
        error = attempts[-1].error if attempts else None
        delivered = len(attempts) - (error is not None)
        is_cut = delivered < len(page.events)
        if not is_cut:
            position = page.position
        else:
            position = _position_of(page.events[delivered - 1]) if delivered else endpoint.position
        await self._read(
            "record_delivery_v2",
            endpoint_id=endpoint.endpoint,
            lease=endpoint.lease,
            position=position,
            delivered=delivered,
            error=error,
            attempts=[msgspec.to_builtins(attempt) for attempt in reversed(attempts)],
            again_seconds=0 if len(page.events) == DELIVERY_EVENTS_MAX or is_cut else IDLE_SECONDS,
        )
        return EventDelivery(endpoint=endpoint.endpoint, delivered=delivered, error=error)


def _position_of(event: dict[str, Any]) -> Position:
    return {
        "at": event["recorded_at"],
        "account": event["account"],
        "unit": event["unit"],
        "seq": event["seq"],
    }


async def _send(
    client: httpx.AsyncClient, endpoint: _Claimed, events: list[dict[str, Any]]
) -> list[DeliveryAttempt]:
    """Each attempt, the last of which may have failed: then the events behind it wait."""
    until = time.monotonic() + DELIVERY_SECONDS_MAX
    attempts: list[DeliveryAttempt] = []
    for event in events:
        attempts.append(await _post(client, endpoint, event))
        if attempts[-1].error is not None or time.monotonic() >= until:
            break
    return attempts


async def _post(client: httpx.AsyncClient, endpoint: _Signed, event: dict[str, Any]) -> DeliveryAttempt:
    now, started = datetime.now(UTC), time.perf_counter()
    body = msgspec.json.encode(
        {"type": event["type"], "timestamp": event["recorded_at"], "data": event}
    ).decode()
    status_code: int | None = None
    problem: str | None = None
    try:
        headers = {
            "content-type": "application/json",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(endpoint.secret).sign(event["id"], now, body),
        }
        async with (
            asyncio.timeout(DELIVERY_TIMEOUT_SECONDS),
            client.stream(
                "POST", endpoint.url, content=body, headers=headers, follow_redirects=False
            ) as answer,
        ):
            status_code = answer.status_code
            await _pass_by(answer)
    except TimeoutError:
        problem = f"no answer within {DELIVERY_TIMEOUT_SECONDS:.0f} s"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # a host or a secret that cannot be
        problem = f"{type(error).__name__}: {error}"
    if status_code is not None:  # it has answered, whatever became of the rest
        problem = None if httpx.codes.is_success(status_code) else f"HTTP {status_code}"
    return DeliveryAttempt(
        at=now,
        event=event["id"],
        status_code=status_code,
        error=problem and problem[:ERROR_CHARACTERS_MAX],
        milliseconds=round((time.perf_counter() - started) * 1_000),
    )


async def _pass_by(answer: httpx.Response) -> None:
    """Take an answer's body without keeping it; one that does not end is left."""
    size = 0
    if answer.is_closed:
        return
    async for chunk in answer.aiter_raw():  # not decoded: a little may unfold to very much
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            return
