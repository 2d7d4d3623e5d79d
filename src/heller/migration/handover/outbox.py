"""Purchases that the legacy handler was given for users who had moved, captured by the fence, credited once by heller.

A legacy transaction writes a purchase in up to three tables; what one transaction wrote is one purchase.
"""

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import sql

from heller.database import translating
from heller.errors import AccountAway
from heller.migration.handover.layout import Part
from heller.migration.handover.runs import Sides
from heller.migration.shapes import PART

GROUPS_MAX = 1_000
_TOKEN = re.compile(r"\b((?:pi|cs|ch|in)_[A-Za-z0-9_]+)")

_WAITING = """
select txid, user_id, array_agg(id order by id), jsonb_agg(jsonb_build_object('part', part, 'operation', operation, 'entry', entry) order by id)
from heller_fence.outbox where drained_at is null group by txid, user_id order by min(id) limit %s
"""


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

    A user who went home meanwhile is left waiting for the legacy handler's own retry, which is welcome there.
    """
    counts: Counter[str] = Counter()
    rows = await (await sides.legacy.connection.execute(_WAITING, [GROUPS_MAX])).fetchall()
    for txid, user, ids, entries in rows:
        found = captured(sides, user, txid, entries)
        outcome = "without credits"
        if found is not None:
            try:
                outcome = await _credit(sides, found)
            except AccountAway:
                counts["waiting"] += 1
                continue
        await sides.legacy.connection.execute(
            "update heller_fence.outbox set drained_at = clock_timestamp(), outcome = %s where id = any(%s)",
            [outcome, ids],
        )
        counts[outcome] += 1
    return dict(counts)


def captured(sides: Sides, user: str, txid: str, entries: list[dict[str, Any]]) -> Captured | None:
    """The purchase in these rows; None when they bring no credits (a change of a status alone)."""
    parts = {part.name: part for part in reversed(sides.layout.guarded)}
    credits, payment = 0, {}
    for name in ("transactions", "ledger"):  # the second history repeats the first
        booked = [
            _value(parts[name], e["entry"], "delta") for e in entries if e["part"] == name and name in parts
        ]
        credits = credits or sum(delta for delta in booked if delta is not None)
    for e in entries:
        if e["part"] == "payments" and "payments" in parts:
            payment = {
                field: _value(parts["payments"], e["entry"], field)
                for field in ("intent", "session", "amount", "currency", "credits")
            }
    tokens = _TOKEN.findall(" ".join(str(e["entry"]) for e in entries))
    intent = payment.get("intent") or next((token for token in tokens if token.startswith("pi_")), None)
    session = payment.get("session") or next((token for token in tokens if token.startswith("cs_")), None)
    if credits <= 0:
        return None
    return Captured(
        user, intent or session or f"{sides.layout.system}:outbox:{txid}", credits, intent, session, payment.get("amount"),
        (payment.get("currency") or "").strip().upper() or None,
    )  # fmt: skip


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
    value = entry.get(part.mapping.columns[field]) if part.has(field) else None
    if value is None or PART[part.name].field(field).type != "integer":
        return value
    return int(Decimal(str(value)) * part.mapping.scale(field))
