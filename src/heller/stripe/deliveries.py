"""Deliveries for people: look at them, and the one-command remedies. And replay: converge again, which is always safe."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heller.database import Database, call, call_many
from heller.errors import InvalidArgument
from heller.stripe.api import Json, StripeApi
from heller.stripe.converge import Converged, converge
from heller.stripe.snapshot import payment_of

PAGE = 500
REPLAY_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event of the inbox. ``body`` is what came, unless it was erased or only listed."""

    inbox_id: int
    event_id: str
    type: str
    status: str
    payment_key: str | None
    stripe_account: str
    received_at: str
    deliveries: int
    attempts: int
    via: str
    reason: str | None = None
    detail: str | None = None
    due_at: str | None = None
    closed_at: str | None = None
    api_version: str | None = None
    secret_slot: int | None = None
    object_kind: str | None = None
    object_id: str | None = None
    actor: str | None = None
    sha256: str | None = None
    body: bytes | None = None
    payment: dict[str, Any] | None = None


def _delivery(raw: Json) -> Delivery:
    known = {name: raw[name] for name in Delivery.__slots__ if name in raw and name != "body"}
    body = base64.b64decode(raw["body"]) if raw.get("body") is not None else None
    return Delivery(**known, body=body)


async def deliveries(
    database: Database,
    *,
    status: str | None = None,
    payment_key: str | None = None,
    event_type: str | None = None,
    event_id: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """The inbox, newest first; ``before`` is the last inbox_id of the page before."""
    async with database.connection() as connection:
        rows = await call_many(
            connection,
            "stripe_deliveries",
            status=status,
            payment_key=payment_key,
            type=event_type,
            event_id=event_id,
            since=since,
            before=before,
            limit=limit,
        )
    return [_delivery(row) for row in rows]


async def delivery(database: Database, inbox_id: int) -> Delivery:
    """One event with its body and its payment.

    Raises:
        InvalidArgument: there is none of that number.
    """
    raw = await database.call("stripe_delivery", inbox_id=inbox_id)
    if raw is None:
        raise InvalidArgument(f"There is no delivery {inbox_id}.", argument="inbox_id")
    return _delivery(raw)


async def queue(database: Database) -> Json:
    """Depth and age of the inbox, what waits for a person, what reconcile healed: cheap enough to ask every second."""
    result: Json = await database.call("stripe_queue")
    return result


async def retry(
    database: Database,
    *,
    inbox_id: int | None = None,
    payment_key: str | None = None,
    actor: str | None = None,
) -> int:
    """Back into the queue, whatever became of it; says how many."""
    count: int = await database.call("stripe_retry", inbox_id=inbox_id, payment_key=payment_key, actor=actor)
    return count


async def ignore(database: Database, inbox_id: int, *, actor: str, reason: str) -> None:
    """A person decides that nothing is to be done about it."""
    await database.call("stripe_ignore", inbox_id=inbox_id, actor=actor, reason=reason)


async def assign(
    database: Database,
    payment_key: str,
    *,
    account: str,
    credits: int,  # the word of the glossary
    actor: str,
    reason: str,
    unit: str = "credit",
) -> Json:
    """Say whose a payment is and what it is worth; the worker credits it if Stripe says that it was paid.

    Raises:
        InvalidArgument: it was credited already.
        UnknownAccount: no such account.
    """
    stripe_account = payment_key.rpartition("/")[0]
    result: Json = await database.call(
        "stripe_assign",
        payment_key=payment_key,
        account_id=account,
        credits=credits,
        actor=actor,
        reason=reason,
        unit=unit,
        stripe_account=stripe_account,
    )
    return result


async def adjust(
    database: Database,
    account: str,
    amount: int,
    *,
    payment_key: str,
    actor: str,
    reason: str,
    unit: str = "credit",
    key: str | None = None,
    dry_run: bool = False,
    even_unseen: bool = False,
) -> Json:
    """Credit by hand in answer to a payment, once; the payment itself is never credited after it.

    Args:
        even_unseen: answer a payment that neither a delivery nor reconcile ever brought here.

    Raises:
        InvalidArgument: nothing is known of the payment; a slip of the pen would leave the real one to be credited again.
    """
    if not even_unseen and not await _is_known(database, payment_key):
        raise InvalidArgument(
            f"Nothing is known of payment {payment_key}.",
            hint="Look it up with 'heller stripe deliveries list', or let 'heller stripe reconcile' find it.",
            argument="payment",
        )
    result: Json = await database.call(
        "stripe_adjust",
        account_id=account,
        amount=amount,
        payment_key=payment_key,
        actor=actor,
        reason=reason,
        unit=unit,
        key=key,
        dry_run=dry_run,
    )
    return result


async def _is_known(database: Database, payment_key: str) -> bool:
    async with database.connection() as connection:
        if await call(connection, "stripe_payment", payment_key=payment_key) is not None:
            return True
        return any(
            [
                await call_many(connection, function, payment_key=payment_key, limit=1)
                for function in ("stripe_deliveries", "stripe_discrepancies")
            ]
        )


async def erase(database: Database, account: str, *, actor: str) -> int:
    """Erase what Stripe sent about an account's payments; ledger and digests stay. Says how many bodies."""
    count: int = await database.call("stripe_erase", account_id=account, actor=actor)
    return count


async def replay(
    database: Database,
    api: StripeApi,
    *,
    event: str | None = None,
    payment: str | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
) -> list[Converged]:
    """Converge again: the payment of one event, one payment, or all that had an event since then.

    Raises:
        InvalidArgument: not exactly one of the three, or no such event.
        stripe.StripeError: Stripe cannot be reached.
    """
    if sum(given is not None for given in (event, payment, since)) != 1:
        raise InvalidArgument("Name one of event, payment or since.", argument="event")
    if payment is not None:
        keys: Sequence[tuple[str, str]] = [(payment, payment.rpartition("/")[0])]
    elif event is not None:
        keys = await _of_event(database, api, event)
    else:
        keys = await _since(database, since)
    return [
        await converge(database, api, key, account=account, cause="replay", dry_run=dry_run)
        for key, account in keys
    ]


async def _of_event(database: Database, api: StripeApi, event: str) -> list[tuple[str, str]]:
    rows = await deliveries(database, event_id=event)
    if not rows:
        raise InvalidArgument(
            f"No event {event} has arrived.", hint="Reconcile fetches missing ones.", argument="event"
        )
    keys: list[tuple[str, str]] = []
    for row in rows:
        key = row.payment_key or await payment_of(
            api, row.object_kind, row.object_id, account=row.stripe_account
        )
        if key is not None:
            keys.append((key, row.stripe_account))
    return keys


async def _since(database: Database, since: datetime | None) -> list[tuple[str, str]]:
    keys: dict[tuple[str, str], None] = {}
    before: int | None = None
    while len(keys) < REPLAY_MAX:
        page = await deliveries(database, since=since, before=before, limit=PAGE)
        keys |= {(row.payment_key, row.stripe_account): None for row in page if row.payment_key is not None}
        if len(page) < PAGE:
            break
        before = page[-1].inbox_id
    return list(reversed(keys))
