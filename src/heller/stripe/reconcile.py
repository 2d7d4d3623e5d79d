"""Reconcile: list what Stripe has, compare, heal through converge, and write down each difference.

Events first (cheap, and what was missed goes through the queue), then objects, because an event can fail to be
made at all. What had to be healed here should be nothing: it is the best alarm of all.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import stripe
import structlog

from heller.database import Database, call_many
from heller.errors import HellerError
from heller.stripe.api import Json, StripeApi
from heller.stripe.checkout import unfinished
from heller.stripe.converge import Converged, converge
from heller.stripe.events import KNOWN_TYPES, bare, keyed, read, reference
from heller.stripe.ingest import receipt_of
from heller.stripe.said import said
from heller.stripe.storing import receive
from heller.stripe.suspects import KEYS_PAGE, between, suspects

GRACE = timedelta(minutes=2)
OVERLAP = timedelta(hours=1)
HOURLY = timedelta(days=3)
NIGHTLY = timedelta(days=35)
EVENTS_KEPT = timedelta(days=29)
EVENTS_MARK = "events"

log = structlog.get_logger("heller.stripe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One run: events that had never arrived, payments looked at, healed here, left for a person, unreachable."""

    events_missed: int = 0
    looked_at: int = 0
    healed: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    unbooked: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Nothing differed."""
        return not (self.events_missed or self.healed or self.parked or self.failed or self.unbooked)


async def reconcile(
    database: Database,
    api: StripeApi,
    *,
    since: datetime | None = None,
    grace: timedelta = GRACE,
    balance: bool = False,
    dry_run: bool = False,
) -> Reconciled:
    """Events and objects of our own account and the allowed ones, since ``since`` (three days without it).

    What is younger than ``grace`` is left to the webhooks. ``balance`` compares Stripe's balance transactions too.

    Raises:
        stripe.StripeError: Stripe cannot be reached at all.
    """
    now = datetime.now(UTC)
    start = since or now - HOURLY
    missed = 0 if dry_run else await missed_events(database, api, since=since, grace=grace)
    swept = await sweep(database, api, since=start, until=now - grace, dry_run=dry_run)
    result = replace(swept, events_missed=missed)
    if balance:
        totals, unbooked = await balances(database, api, since=start, until=now - grace)
        result = replace(result, totals=totals, unbooked=tuple(unbooked))
    if not dry_run:
        await database.call("stripe_mark", name="reconcile", at=now)
    return result


async def missed_events(
    database: Database, api: StripeApi, *, since: datetime | None = None, grace: timedelta = GRACE
) -> int:
    """Put every event into the inbox that Stripe made and that never arrived; says how many.

    All types are listed, not only undelivered ones: that would miss what was answered 2xx and lost. A connected
    account that cannot be asked (it left, it is closed) is said in the log, and does not keep the others.
    """
    until = datetime.now(UTC) - grace
    missed = 0
    for account in ("", *sorted(api.settings.accounts)):
        try:
            missed += await _missed_of(database, api, account, since=since, until=until)
        except stripe.StripeError as error:
            if not account:
                raise
            log.warning("a connected account's events cannot be had", account=account, error=said(error))
    return missed


async def _missed_of(
    database: Database, api: StripeApi, account: str, *, since: datetime | None, until: datetime
) -> int:
    name = f"{EVENTS_MARK} {account}".strip()
    mark: datetime | None = await database.call("stripe_mark", name=name)
    start = max(since or (mark or until - HOURLY) - OVERLAP, until - EVENTS_KEPT)
    missed = 0
    async for raw in api.pages("events", {"created": between(start, until)}, account=account):
        if raw["type"] in KNOWN_TYPES:
            missed += await _receive(database, api, raw, account)
    await database.call("stripe_mark", name=name, at=until)
    return missed


async def _receive(database: Database, api: StripeApi, raw: Json, account: str) -> bool:
    body = json.dumps(raw).encode()
    event = read(body)
    key = None if event.payment_key is None else keyed(account, bare(event.payment_key))
    receipt = receipt_of(
        replace(event, account=account, payment_key=key), body, api.settings, via="reconcile"
    )
    async with database.connection() as connection:
        (stored,) = await receive(connection, [receipt])
    return stored.is_new


async def sweep(
    database: Database, api: StripeApi, *, since: datetime, until: datetime, dry_run: bool = False
) -> Reconciled:
    """Compare Stripe's objects with our payments, and converge where they may differ."""
    found = _Found()
    for account in ("", *sorted(api.settings.accounts)):
        try:
            async for key in suspects(database, api, account, since, until):
                await _compare(database, api, key, account, found, until=until, dry_run=dry_run)
        except stripe.StripeError as error:
            if not account:
                raise
            found.fail(account, error)  # it left or is closed: the others must not suffer
    if not dry_run:
        await _close_unborn_orders(database)
    return Reconciled(
        looked_at=found.looked_at,
        healed=tuple(found.healed),
        parked=tuple(found.parked),
        failed=tuple(found.failed),
    )


@dataclass(slots=True)
class _Found:
    """What a sweep has come to so far."""

    looked_at: int = 0
    healed: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def fail(self, name: str, error: Exception) -> None:
        log.warning("reconcile could not look", at=name, error=said(error))
        self.failed.append(f"{name}: {said(error)}")


async def _compare(
    database: Database,
    api: StripeApi,
    key: str,
    account: str,
    found: _Found,
    *,
    until: datetime,
    dry_run: bool,
) -> None:
    found.looked_at += 1
    try:
        outcome, was_waiting = await _look(database, api, key, account, dry_run=dry_run)
    except (stripe.StripeError, HellerError) as error:
        found.fail(key, error)
        return
    if outcome.outcome == "parked":
        found.parked.append(outcome.payment_key)
        await _note(database, outcome, dry_run=dry_run)
    elif outcome.delta and not was_waiting and _is_old(outcome, until):
        found.healed.append(outcome.payment_key)
        await _note(database, outcome, dry_run=dry_run)


def _is_old(outcome: Converged, until: datetime) -> bool:
    """Whether it was paid long enough ago that an event should have told us."""
    charged_at = (outcome.facts or {}).get("charged_at")
    return charged_at is None or charged_at <= until.timestamp()


async def _look(
    database: Database, api: StripeApi, key: str, account: str, *, dry_run: bool
) -> tuple[Converged, bool]:
    """Converge, and whether an event of it was waiting in the inbox anyway (then nothing was healed)."""
    async with database.connection() as connection:
        rows = await call_many(connection, "stripe_deliveries", payment_key=key, limit=50)
    outcome = await converge(database, api, key, account=account, cause="reconcile", dry_run=dry_run)
    return outcome, any(row["status"] in ("pending", "processing") for row in rows)


async def _note(database: Database, outcome: Converged, *, dry_run: bool) -> None:
    if dry_run:
        return
    is_healed = outcome.outcome == "applied"
    await database.call(
        "stripe_discrepancy",
        kind="missed" if is_healed else outcome.reason,
        payment_key=outcome.payment_key,
        account_id=outcome.account,
        expected={"facts": outcome.facts} if outcome.facts else None,
        actual={"delta": outcome.delta, "state": outcome.state},
        state="healed" if is_healed else "open",
        note=outcome.detail or "No event had told us; reconcile brought the ledger in line.",
    )


async def _close_unborn_orders(database: Database) -> None:
    now = datetime.now(UTC)
    async for order in unfinished(database):
        if order.checkout_session is None and order.kind != "top_up" and order.expires_at < now:
            await database.call("stripe_update_order", order_id=order.order_id, state="expired")


async def balances(
    database: Database, api: StripeApi, *, since: datetime, until: datetime
) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Charges in Stripe's balance against the payments we know, per currency; and the charges that we do not know."""
    totals: dict[str, dict[str, int]] = {}
    unbooked: list[str] = []
    query: Json = {"created": between(since, until), "expand": ["data.source"]}
    charges: dict[str, Json] = {}
    async for entry in api.pages("balance_transactions", query):
        source = entry.get("source")
        if not isinstance(source, dict):
            continue
        total = totals.setdefault(
            source.get("currency") or entry["currency"], dict.fromkeys(("in", "back", "booked"), 0)
        )
        if entry["type"] in ("charge", "payment"):
            total["in"] += source["amount"]
            charges[reference(source.get("payment_intent")) or source["id"]] = source
        elif entry["type"] in ("refund", "payment_refund", "adjustment", "refund_failure"):
            total["back"] += source["amount"] if entry["amount"] < 0 else -source["amount"]
    for page in _paged(list(charges)):
        async with database.connection() as connection:
            rows = {
                row["payment_key"]: row
                for row in await call_many(connection, "stripe_payments", keys=page, limit=len(page))
            }
        for key in page:
            row, charge = rows.get(key), charges[key]
            if row is not None and row["paid"] == charge["amount"]:
                totals[charge["currency"]]["booked"] += charge["amount"]
                continue
            actual = (
                None
                if row is None
                else {"paid": row["paid"], "state": row["state"], "parked": row["parked_reason"]}
            )
            number = await database.call(
                "stripe_discrepancy",
                kind="unbooked",
                payment_key=key,
                expected={"amount": charge["amount"], "currency": charge["currency"]},
                actual=actual,
                note="Stripe's balance has this charge; our payments do not.",
            )
            if number is not None:
                unbooked.append(key)
    return totals, unbooked


def _paged(keys: list[str]) -> Iterable[list[str]]:
    return (keys[start : start + KEYS_PAGE] for start in range(0, len(keys), KEYS_PAGE))


async def discrepancies(
    database: Database,
    *,
    state: str | None = None,
    since: datetime | None = None,
    payment_key: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Json]:
    """What was found, newest first; ``before`` is the last discrepancy_id of the page before."""
    async with database.connection() as connection:
        return await call_many(
            connection,
            "stripe_discrepancies",
            state=state,
            since=since,
            payment_key=payment_key,
            before=before,
            limit=limit,
        )


__all__ = [
    "HOURLY",
    "NIGHTLY",
    "Reconciled",
    "balances",
    "discrepancies",
    "missed_events",
    "reconcile",
    "sweep",
]
