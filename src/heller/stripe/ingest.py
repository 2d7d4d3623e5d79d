"""Ingest: verify the signature over the raw bytes, put them into the inbox, commit, answer. Nothing else.

It has its own small pool and two seconds, so that neither a slow worker nor a busy page keeps Stripe waiting, and a
database in trouble is answered with 503, which Stripe tries again.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from heller import pooler
from heller.stripe import signature
from heller.stripe.events import KNOWN_TYPES, Event, MalformedError, read
from heller.stripe.inbox import CHANNEL
from heller.stripe.settings import StripeSettings
from heller.stripe.storing import Receipt, Stored, Storing

BODY_BYTES_MAX = 1_048_576
DEADLINE_SECONDS = 2.0
STATEMENT_MILLISECONDS = 1_900
POOL_MAX = 4
NOTIFY_SECONDS = 0.02
COUNT_SECONDS = 5.0
HEADER = "stripe-signature"

log = structlog.get_logger("heller.stripe")


@dataclass(frozen=True, slots=True)
class IngestResult:
    """The answer to one delivery: ``status`` is the HTTP status, ``outcome`` the counter it belongs to."""

    status: int
    outcome: str
    message: str
    inbox_id: int | None = None
    deliveries: int = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the event is durably ours."""
        return self.status == 200  # noqa: PLR2004  # HTTP OK


class Ingest:
    """The receiving end; ``opened`` makes one. ``counts`` holds this process's outcomes so far."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], settings: StripeSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._storing = Storing(pool)
        self._fresh = asyncio.Event()
        self._unsaved: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    async def ingest(self, body: bytes, headers: Mapping[str, str]) -> IngestResult:
        """Take one delivery. ``headers`` by lower-case name; the body as it came over the wire.

        200 only after the commit, also for a duplicate, an unknown type and another mode; 400 for what is not
        believed or no event; 413 for a body beyond 1 MiB; 503 when it could not be stored within two seconds.
        """
        result = await self._ingest(body, headers.get(HEADER))
        self._count(result.outcome)
        return result

    def refuse_too_large(self) -> IngestResult:
        """The answer to a body that was not even read."""
        self._count("too_large")
        return IngestResult(413, "too_large", f"The body has more than {BODY_BYTES_MAX} bytes.")

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self._unsaved[outcome] += 1

    async def _ingest(self, body: bytes, header: str | None) -> IngestResult:
        if len(body) > BODY_BYTES_MAX:
            return IngestResult(413, "too_large", f"The body has more than {BODY_BYTES_MAX} bytes.")
        try:
            slot = signature.matching_slot(body, header, self._settings.webhook_secrets, now=time.time())
            event = read(body)
        except signature.BadSignatureError as error:
            return IngestResult(400, error.outcome, str(error))
        except MalformedError as error:
            return IngestResult(400, "malformed", str(error))
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                stored = await self._store(event, body, slot)
        except (TimeoutError, psycopg.Error, PoolTimeout) as error:
            log.warning("a delivery could not be stored", event_id=event.event_id, error=str(error))
            return IngestResult(503, "unavailable", "The event could not be stored; send it again.")
        self._fresh.set()
        return IngestResult(200, f"secret_{slot}", stored.status, stored.inbox_id, stored.deliveries)

    async def _store(self, event: Event, body: bytes, slot: int) -> Stored:
        receipt = receipt_of(event, body, self._settings, via="webhook", secret_slot=slot)
        return await self._storing.put(receipt)

    async def close(self) -> None:
        """Wait for what is being stored."""
        await self._storing.close()

    async def notify_for_ever(self) -> None:
        """Wake the workers, at most 50 times a second: NOTIFY in each insert would serialise the commits."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            with contextlib.suppress(psycopg.Error, PoolTimeout):  # workers poll as well
                async with self._pool.connection() as connection:
                    await connection.execute(f"notify {CHANNEL}")
            await asyncio.sleep(NOTIFY_SECONDS)

    async def save_counts_for_ever(self) -> None:
        """Save the counts every few seconds."""
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            await self.save_counts()

    async def save_counts(self) -> None:
        """Add the counts since the last time to the database's, for ``heller stripe doctor``."""
        unsaved, self._unsaved = self._unsaved, Counter()
        if not unsaved:
            return
        try:
            async with self._pool.connection() as connection:
                await connection.execute("select heller.stripe_count(%s)", [Jsonb(dict(unsaved))])
        except (psycopg.Error, PoolTimeout):
            self._unsaved += unsaved


def fate(event: Event, settings: StripeSettings) -> tuple[str, str | None, str | None]:
    """What the inbox does with an event: status, reason, words."""
    if event.livemode != settings.livemode:
        return "ignored", "mode", f"The event is not of {settings.mode} mode."
    if event.account and event.account not in settings.accounts:
        return (
            "parked",
            "unknown_account",
            f"The connected account {event.account} is not in STRIPE_ACCOUNTS.",
        )
    if event.strange is not None:
        return "parked", "unreadable", event.strange
    if event.type not in KNOWN_TYPES:
        return "ignored", "type", None
    return "pending", None, None


def receipt_of(
    event: Event, body: bytes, settings: StripeSettings, *, via: str, secret_slot: int | None = None
) -> Receipt:
    """What is written into the inbox about an event."""
    status, reason, detail = fate(event, settings)
    return Receipt(
        stripe_account=event.account,
        livemode=event.livemode,
        event_id=event.event_id,
        type=event.type,
        api_version=event.api_version,
        event_created=event.created,
        via=via,
        secret_slot=secret_slot,
        object_kind=event.object_kind,
        object_id=event.object_id,
        payment_key=event.payment_key,
        status=status,
        reason=reason,
        detail=detail,
        body=body,
    )


@asynccontextmanager
async def opened(url: str, settings: StripeSettings, *, pool_max: int = POOL_MAX) -> AsyncIterator[Ingest]:
    """The receiving end on a pool of its own. It starts, and answers 503, while the database is down."""
    pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=pool_max,
        timeout=DEADLINE_SECONDS,
        open=False,
        configure=_configure,
        reconnect_timeout=DEADLINE_SECONDS,
        kwargs={"autocommit": True, "connect_timeout": 2, "application_name": "heller ingest"},
    )
    await pool.open(wait=False)
    ingest = Ingest(pool, settings)
    tasks = [
        asyncio.create_task(ingest.notify_for_ever()),
        asyncio.create_task(ingest.save_counts_for_ever()),
    ]
    try:
        yield ingest
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ingest.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await ingest.save_counts()
        await pool.close()


async def _configure(connection: AsyncConnection) -> None:
    if await pooler.keep_no_statements(connection):
        return  # the role's settings count
    await connection.execute(
        "select set_config('statement_timeout', %s, false), set_config('synchronous_commit', 'on', false)",
        [str(STATEMENT_MILLISECONDS)],
    )
