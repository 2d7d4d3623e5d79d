"""The worker's side of the inbox: claim, converge, close. It may be killed between any two lines."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import stripe
import structlog

from heller import traces
from heller.database import Database, call, call_many, connect
from heller.errors import AccountFrozen, Busy, DatabaseError, HellerError
from heller.stripe.api import Json, StripeApi
from heller.stripe.converge import converge
from heller.stripe.degraded import credit_on_trust, is_down
from heller.stripe.events import FRAUD_WARNING, LOST_EVENTS
from heller.stripe.said import said
from heller.stripe.snapshot import GoneError, payment_of

CHANNEL = "heller_inbox"
LEASE_SECONDS = 180.0
CONCURRENCY = 8
BATCH = 64
POLL_SECONDS = 1.0
ATTEMPTS_MAX = 12
DELAY_SECONDS = 5.0
TROUBLE_PAUSE_SECONDS = 2.0

Converge = Callable[..., Awaitable[Any]]
log = structlog.get_logger("heller.stripe")


def worker_name() -> str:
    """Who claims: this machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def drain(
    database: Database,
    api: StripeApi,
    *,
    limit: int = BATCH,
    lease_seconds: float = LEASE_SECONDS,
    concurrency: int = CONCURRENCY,
    attempts_max: int = ATTEMPTS_MAX,
    delay_seconds: float = DELAY_SECONDS,
    converging: Converge = converge,
    on_lost_events: Callable[[], Awaitable[Any]] | None = None,
) -> int:
    """Claim at most ``limit`` due events and work on them; says how many were claimed.

    All events of one payment are answered by one look at Stripe. Each payment fails alone: its events keep the
    error and come again later. ``on_lost_events`` is called when Stripe says that it could not make some events.

    Raises:
        DatabaseError: the inbox cannot be reached.
    """
    async with database.connection() as connection:
        groups = await call_many(
            connection, "stripe_claim", worker=worker_name(), limit=limit, lease_seconds=lease_seconds
        )
    slots = asyncio.Semaphore(concurrency)
    work = _Work(
        database,
        api,
        attempts_max=attempts_max,
        delay_seconds=delay_seconds,
        converging=converging,
        on_lost_events=on_lost_events,
    )

    async def one(group: Json) -> None:
        async with slots:
            await work.answer(group)

    async with asyncio.TaskGroup() as tasks:
        for group in groups:
            tasks.create_task(one(group))
    return sum(len(group["rows"]) for group in groups)


class _Work:
    """One batch's collaborators."""

    def __init__(
        self,
        database: Database,
        api: StripeApi,
        *,
        attempts_max: int,
        delay_seconds: float,
        converging: Converge,
        on_lost_events: Callable[[], Awaitable[Any]] | None,
    ) -> None:
        self._database = database
        self._api = api
        self._attempts_max = attempts_max
        self._delay_seconds = delay_seconds
        self._converging = converging
        self._on_lost_events = on_lost_events

    async def answer(self, group: Json) -> None:
        """Converge one payment's events, or give them back with the error; else they come again with the lease's end."""
        ids = [row["inbox_id"] for row in group["rows"]]
        try:
            await self._answer_or_give_back(group, ids)
        except Exception as error:  # the database is away, or a defect: neither may stop the worker
            log.exception("events could not be given back", inbox_ids=ids, error=str(error))

    async def _answer_or_give_back(self, group: Json, ids: list[int]) -> None:
        try:
            with traces.span("converge", payment=group.get("payment_key"), events=len(ids)):
                await self._answer(group, ids)
        except GoneError as error:
            await self._call("stripe_close", inbox_ids=ids, status="parked", reason="gone", detail=str(error))
        except (stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError) as error:
            await self._postpone(ids, error, counts=False)
        except stripe.StripeError as error:
            if is_down(error) and self._api.settings.degraded_mode:
                await credit_on_trust(self._database, self._api, group)
            is_theirs = error.http_status is None or is_down(error)
            await self._postpone(ids, error, counts=not is_theirs)
        except (AccountFrozen, Busy, DatabaseError, psycopg.OperationalError) as error:
            await self._postpone(ids, error, counts=False)
        except Exception as error:  # a defect on one event must not stop its neighbours
            log.exception("an event could not be handled", inbox_ids=ids, payment=group["payment_key"])
            await self._postpone(ids, error, counts=True)

    async def _answer(self, group: Json, ids: list[int]) -> None:
        first = group["rows"][0]
        if first["type"] == LOST_EVENTS:
            if self._on_lost_events is not None:
                await self._on_lost_events()
            await self._call("stripe_close", inbox_ids=ids, status="done")
            return
        key, account = group["payment_key"], group["stripe_account"]
        if key is None:
            key = await payment_of(self._api, first["object_kind"], first["object_id"], account=account)
            if key is None:
                detail = f"The {first['object_kind']} belongs to no payment intent."
                await self._call(
                    "stripe_close", inbox_ids=ids, status="parked", reason="no_payment", detail=detail
                )
                return
            await self._call("stripe_rekey", inbox_ids=ids, payment_key=key)
        warnings = [row["inbox_id"] for row in group["rows"] if row["type"] == FRAUD_WARNING]
        others = [identifier for identifier in ids if identifier not in warnings]
        result = await self._converging(
            self._database, self._api, key, account=account, inbox_ids=others, cause=first["event_id"]
        )
        if warnings:
            await self._heed(warnings, result.account, result.unit)

    async def _heed(self, ids: list[int], account: str | None, unit: str | None) -> None:
        """An early fraud warning: no money has moved yet; the policy says what to do."""
        policy = self._api.settings.fraud_warning
        if policy == "ignore":
            await self._call("stripe_close", inbox_ids=ids, status="ignored", reason="early_fraud_warning")
            return
        if policy == "freeze" and account is not None:
            await self._call(
                "freeze", account_id=account, reason="early fraud warning from Stripe", unit=unit
            )
        detail = "The card's issuer suspects fraud; refund the payment before it is disputed, or ignore this."
        await self._call(
            "stripe_close", inbox_ids=ids, status="parked", reason="early_fraud_warning", detail=detail
        )

    async def _postpone(self, ids: list[int], error: Exception, *, counts: bool) -> None:
        words = error.message if isinstance(error, HellerError) else f"{type(error).__name__}: {said(error)}"
        with contextlib.suppress(HellerError, psycopg.Error):  # the lease's end does the same
            await self._call(
                "stripe_postpone",
                inbox_ids=ids,
                error=words,
                counts=counts,
                attempts_max=self._attempts_max,
                delay_seconds=self._delay_seconds,
            )

    async def _call(self, function: str, /, **arguments: Any) -> Any:
        async with self._database.connection() as connection:
            return await call(connection, function, **arguments)


async def run(
    database: Database,
    api: StripeApi,
    url: str,
    *,
    stop: asyncio.Event,
    poll_seconds: float = POLL_SECONDS,
    **options: Any,
) -> None:
    """Drain until ``stop`` is set; what is being worked on then is finished first.

    Wakes by NOTIFY, and looks every ``poll_seconds`` whatever happens. ``options`` are those of ``drain``.
    """
    wake = asyncio.Event()
    listening = asyncio.create_task(_listen(url, wake))
    try:
        while not stop.is_set():
            wake.clear()
            try:
                if await drain(database, api, **options):
                    continue
                pause = poll_seconds
            except (DatabaseError, psycopg.Error) as error:
                log.warning("the inbox cannot be reached", error=str(error))
                pause = TROUBLE_PAUSE_SECONDS
            await _first_of(pause, stop, wake)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _listen(url: str, wake: asyncio.Event) -> None:
    while True:
        try:
            connection = await connect(url, application_name="heller inbox")
            async with connection:
                await connection.execute(f"listen {CHANNEL}")
                async for _ in connection.notifies():
                    wake.set()
        except (DatabaseError, psycopg.Error):
            await asyncio.sleep(TROUBLE_PAUSE_SECONDS)  # the polling floor serves meanwhile
