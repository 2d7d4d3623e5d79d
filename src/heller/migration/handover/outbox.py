"""Purchases that the legacy handler was given for users who had moved, captured by the fence, credited once by heller.

A legacy transaction writes a purchase in up to three tables; what one transaction wrote is one purchase. What leaves a
doubt (a part finer than the mapping's scale, two tables that disagree) is parked for a person, never rounded or guessed.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from heller.database import translating
from heller.errors import AccountAway, InvalidArgument
from heller.migration.handover.canonical import state_of
from heller.migration.handover.layout import Part
from heller.migration.handover.purchases import can_deliver
from heller.migration.handover.runs import Sides
from heller.migration.shapes import PART

GROUPS_MAX = 1_000
HISTORIES = ("transactions", "ledger")
PAIR_SECONDS = 60
"""A handler without transactions books the history and the balance of one purchase within this time."""
UNBOOKABLE = (
    "its buyer is at home in the legacy system, where this fence cannot book it:"
    " run 'heller migrate fence install' once more, or book it by hand"
)
_TOKEN = re.compile(r"\b((?:pi|cs|ch|in)_[A-Za-z0-9_]+)")

# a fence of 0.1.0 has no column change: read by name, it is null there
_WAITING = """
select o.txid, o.user_id, array_agg(o.id order by o.id),
       jsonb_agg(jsonb_build_object('part', o.part, 'operation', o.operation, 'entry', o.entry, 'change', to_jsonb(o) -> 'change') order by o.id)::text
from heller_fence.outbox o where o.drained_at is null group by o.txid, o.user_id order by min(o.id) limit %s
"""
_BOOKED_ALONE = """
select exists (
  select from heller_fence.outbox o join heller_fence.outbox mine on mine.id = %(id)s
  where o.user_id = mine.user_id and o.part = any(%(histories)s) and o.txid <> mine.txid
    and abs(extract(epoch from o.captured_at - mine.captured_at)) <= %(seconds)s
  group by o.txid having sum((to_jsonb(o) ->> 'change')::bigint) = %(credits)s)
"""
_DOUBT = "update heller_fence.outbox set outcome = %s where id = any(%s)"
_END = "update heller_fence.outbox set drained_at = clock_timestamp(), outcome = %s where id = any(%s)"


class DoubtError(Exception):
    """Why a person must say what these rows are worth."""


@dataclass(frozen=True, slots=True)
class Captured:
    """One purchase as the rows of one legacy transaction describe it."""

    user: str
    key: str
    credits: int
    intent: str | None
    session: str | None
    amount: int | None
    currency: str | None


async def drain(sides: Sides) -> dict[str, int]:
    """Credit what waits, each once; what became of the purchases, counted.

    The purchase of a user who went home meanwhile is booked there: its handler was told that all is well and will not try again.
    ``parked`` are left in the outbox with the reason in ``outcome``: ``answer`` ends them.
    """
    counts: Counter[str] = Counter()
    legacy = sides.legacy.connection
    rows = await (await legacy.execute(_WAITING, [GROUPS_MAX])).fetchall()
    for txid, user, ids, text in rows:
        entries = json.loads(text, parse_float=Decimal)  # a float could lose the part that matters
        found: Captured | None = None
        try:
            found = captured(sides, user, txid, entries)
            outcome = "without credits" if found is None else await _credit(sides, found)
        except AccountAway:
            try:
                outcome = "waiting" if found is None else await _book_at_home(sides, found, ids)
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
                outcome = "parked"  # its tables cannot hold it
                await legacy.execute(_DOUBT, [str(error).splitlines()[0], ids])
            counts[outcome] += 1
            continue
        except DoubtError as doubt:
            if not await _is_settled_elsewhere(sides, ids, entries):
                await legacy.execute(_DOUBT, [str(doubt), ids])
                counts["parked"] += 1
                continue
            outcome = "known"
        await legacy.execute(_END, [outcome, ids])
        counts[outcome] += 1
    return dict(counts)


async def answer(sides: Sides, number: int, *, actor: str, reason: str) -> int:
    """End what a person has dealt with: entry ``number`` and the others of its transaction; how many.

    Raises:
        InvalidArgument: no such entry waits, or nobody says why.
    """
    if not actor.strip() or not reason.strip():
        raise InvalidArgument("Say who answers and why.", argument="reason")
    done = await sides.legacy.connection.execute(
        "update heller_fence.outbox o set drained_at = clock_timestamp(), outcome = %s from heller_fence.outbox asked"
        " where asked.id = %s and o.txid = asked.txid and o.user_id = asked.user_id and o.drained_at is null",
        [f"answered by {actor}: {reason}"[:500], number],
    )
    if not done.rowcount:
        raise InvalidArgument(f"No purchase {number} waits in the outbox.", argument="answered")
    return done.rowcount


def captured(sides: Sides, user: str, txid: str, entries: list[dict[str, Any]]) -> Captured | None:
    """The purchase in these rows; None when they bring no credits (a checkout begun, a change of a status alone).

    Raises:
        DoubtError: they do not say exactly what was bought.
    """
    parts = {part.name: part for part in reversed(sides.layout.guarded)}
    payment: dict[str, Any] = {}
    for e in entries:
        if e["part"] == "payments" and "payments" in parts:
            payment = {
                field: _value(parts["payments"], e["entry"], field)
                for field in ("intent", "session", "amount", "currency", "credits", "status")
            }
    credits = _credits(sides, parts, entries, payment)
    if credits <= 0:
        return None
    tokens = _TOKEN.findall(" ".join(str(e["entry"]) for e in entries))
    intent = payment.get("intent") or next((token for token in tokens if token.startswith("pi_")), None)
    session = payment.get("session") or next((token for token in tokens if token.startswith("cs_")), None)
    return Captured(
        user, intent or session or f"{sides.layout.system}:outbox:{txid}", credits, intent, session, payment.get("amount"),
        (payment.get("currency") or "").strip().upper() or None,
    )  # fmt: skip


def _credits(
    sides: Sides, parts: dict[str, Part], entries: list[dict[str, Any]], payment: dict[str, Any]
) -> int:
    """What the rows bring. The history says it, else the balance beside a payment; both must say the same."""
    by_part: Counter[str] = Counter()
    for e in entries:
        if e["part"] in {*HISTORIES, "users"} and e["part"] in parts:
            by_part[e["part"]] += _change(parts[e["part"]], e)
    booked = next((by_part[name] for name in HISTORIES if by_part[name]), 0)  # the second repeats the first
    raised = by_part["users"] if sides.layout.truth == "balance" else 0
    if booked and raised and booked != raised:
        raise DoubtError(f"the history says {booked} credits and the balance {raised}")
    if booked:
        return booked
    if raised and not payment:
        raise DoubtError(f"the balance was raised by {raised} credits, and no row beside it says why")
    if raised and (payment["credits"] or raised) != raised:
        raise DoubtError(f"the payment says {payment['credits']} credits and the balance {raised}")
    if not raised and payment and _is_paid(sides, payment):
        raise DoubtError("the payment is paid, and neither the history nor the balance says its credits")
    return raised


def _is_paid(sides: Sides, payment: dict[str, Any]) -> bool:
    return state_of(payment["status"], sides.layout.mapping.statuses) == "paid"


def _change(part: Part, e: dict[str, Any]) -> int:
    """What one row brings, as the fence worked it out; by the row itself where a fence of 0.1.0 kept it."""
    if e["change"] is not None:
        return int(e["change"])
    return 0 if part.name == "users" else int(_value(part, e["entry"], "delta") or 0)


async def _is_settled_elsewhere(sides: Sides, ids: list[int], entries: list[dict[str, Any]]) -> bool:
    """Whether the purchase in doubt was credited by other rows: by its payment's name, or by a history booked beside it."""
    tokens = _TOKEN.findall(" ".join(str(e["entry"]) for e in entries))
    row = await (
        await sides.ours.connection.execute(
            "select exists (select from heller.payments where net_credits > 0 and (payment_key = any(%(t)s)"
            " or payment_intent = any(%(t)s) or checkout_session = any(%(t)s)))",
            {"t": tokens},
        )
    ).fetchone()
    if tokens and row and row[0]:
        return True
    if any(e["part"] != "users" for e in entries):
        return False
    raised = sum(int(e["change"] or 0) for e in entries)
    values = {"id": ids[0], "histories": list(HISTORIES), "seconds": PAIR_SECONDS, "credits": raised}
    row = await (await sides.legacy.connection.execute(_BOOKED_ALONE, values)).fetchone()
    return bool(row and row[0])


async def _book_at_home(sides: Sides, found: Captured, ids: list[int]) -> str:
    """Book a purchase in the legacy system, as its own, in the transaction that ends it in the outbox; or leave it waiting."""
    legacy = sides.legacy.connection
    if not await can_deliver(sides):
        await legacy.execute(_DOUBT, [UNBOOKABLE, ids])
        return "waiting"
    payment: dict[str, Any] = {
        "payment_key": found.key, "provider": "stripe", "intent": found.intent, "session": found.session, "amount": found.amount or 0,
        "currency": found.currency, "credits": found.credits, "state": "settled", "at": datetime.now(UTC).isoformat(), "events": [],
    }  # fmt: skip
    async with legacy.transaction():
        await legacy.execute("set transaction isolation level read committed")
        mine = await (
            await legacy.execute(
                "select id from heller_fence.outbox where id = any(%s) and drained_at is null for update",
                [ids],
            )
        ).fetchall()
        row = await (
            await legacy.execute(
                "select heller_fence.deliver(%s, %s, %s)", [found.user, Jsonb(payment), found.credits]
            )
        ).fetchone()
        if not mine or not row or row[0] == "away":
            raise psycopg.Rollback
        if (
            row[0] == "credited"
        ):  # it is the legacy system's own purchase: the next handover reads it like any other
            await legacy.execute(
                "delete from heller_fence.carried_payments where payment_key = %s", [found.key]
            )
        await legacy.execute(_END, ["credited at home", ids])
        return "credited at home"
    return "waiting"


async def _credit(sides: Sides, found: Captured) -> str:
    with translating():
        row = await (
            await sides.ours.connection.execute(
                sql.SQL(
                    "select heller.credit_purchase(%s, %s, %s, %s, %s, %s, %s, 'purchase') ->> 'outcome'"
                ),
                [
                    found.user,
                    found.key,
                    found.credits,
                    found.intent,
                    found.session,
                    found.amount,
                    found.currency,
                ],
            )
        ).fetchone()
    return str(row[0]) if row else "unknown"


def _value(part: Part, entry: dict[str, Any], field: str) -> Any:
    """A field of a captured row; a number in heller's units, never rounded.

    Raises:
        DoubtError: the number is finer than the mapping's scale.
    """
    if field in part.mapping.constants:
        return part.mapping.constants[field]
    value = entry.get(part.mapping.columns[field]) if part.has(field) else None
    if value is None or PART[part.name].field(field).type != "integer":
        return value
    scale = part.mapping.scale(field)
    try:
        number = Decimal(str(value)) * scale
    except InvalidOperation:
        raise DoubtError(f"{part.label}.{part.column(field).name} is {value!r}, which is no number") from None
    if number != number.to_integral_value():
        raise DoubtError(
            f"{part.label}.{part.column(field).name} is {value}, finer than the mapping's scale of {scale}"
        )
    return int(number)
