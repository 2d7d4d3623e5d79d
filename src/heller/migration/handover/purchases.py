"""Purchases across the two systems: sold by the one, to users who are at home in the other.

What the legacy system sold to users at home there is set aside, for its handler credits it; what it does not know either
stays parked for a person. What heller sold to users who have gone home is written into the legacy history, once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from heller.database import call, translating
from heller.migration.handover.layout import Part
from heller.migration.handover.runs import Sides

PAYMENTS_MAX = 500
NAMED_BY = {"payments": ("intent", "session", "event"), "transactions": ("event",), "ledger": ("event",)}
"""The fields of a legacy row by which Stripe's names of a payment are found."""


async def set_aside(sides: Sides) -> int:
    """Note the payments that the legacy system sold to users at home there; how many.

    The users' fence rows are held until heller has noted it, so that none of them moves meanwhile: who arrives later
    finds the note and has those deliveries looked at again.
    """
    rows = await (
        await sides.ours.connection.execute(
            "select payment_key, names from heller.unplaced_payments(%s)", [PAYMENTS_MAX]
        )
    ).fetchall()
    if not rows:
        return 0
    by_name = {name: key for key, names in rows for name in names}
    legacy = sides.legacy.connection
    async with legacy.transaction():
        await legacy.execute("set transaction isolation level read committed")
        found: dict[str, dict[str, Any]] = {}
        for part in sides.layout.rows:
            for name, row, ref in await _named(sides, part, list(by_name)):
                found.setdefault(
                    by_name[name],
                    {"payment_key": by_name[name], "account": ref, "table": part.label, "id": row},
                )
        mine = await _at_home(sides, found)
        if not mine:
            return 0
        with translating():
            return int(await call(sides.ours.connection, "set_aside_purchases", found=Jsonb(mine)))


async def deliver(sides: Sides) -> int:
    """Write what users bought in heller, and paid after they had gone home, into the legacy history; how many purchases.

    One legacy transaction each, once by the payment's key. Whoever moves before it is written is credited in heller.
    """
    waiting = await (
        await sides.ours.connection.execute("select payment_key from heller.owed_purchases_of()")
    ).fetchall()
    if waiting and not await can_deliver(sides):
        return 0
    return sum([await _deliver(sides, key) for (key,) in waiting])


async def _deliver(sides: Sides, key: str) -> bool:
    """One of them, as it stands now: what is taken back at Stripe meanwhile waits, and finds it delivered."""
    ours = sides.ours.connection
    async with ours.transaction():
        owed = await (
            await ours.execute(
                "select account_id, credits, payment from heller.lock_owed_purchase(%s)", [key]
            )
        ).fetchone()
        if not owed:
            return False
        account, credits, payment = owed
        row = await (
            await sides.legacy.connection.execute(
                "select heller_fence.deliver(%s, %s, %s)", [account, Jsonb(payment), credits]
            )
        ).fetchone()
        if row and row[0] != "away":
            await call(ours, "note_delivered", payment_key=key)
        return bool(row and row[0] == "credited")


async def can_deliver(sides: Sides) -> bool:
    """A fence of 0.1.0, or of a system without a history, has no function for it: the purchases stay in sight."""
    row = await (
        await sides.legacy.connection.execute(
            "select to_regprocedure('heller_fence.deliver(text, jsonb, bigint)') is not null"
        )
    ).fetchone()
    return bool(row and row[0])


async def _named(sides: Sides, part: Part, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Rows that carry one of these names: the name, the row's id, whose it is."""
    fields = [field for field in NAMED_BY[part.name] if part.has(field)]
    if not fields:
        return []
    selects = [
        sql.SQL(
            "select {name}::text, {id}::text, {ref}::text from {table} where {name} = any(%(names)s)"
        ).format(name=part.quoted(field), id=part.quoted("id"), ref=part.quoted("user_ref"), table=part.identifier)
        for field in fields
        if part.column(field).is_text
    ]  # fmt: skip
    if not selects:
        return []
    query = sql.SQL(" union all ").join(selects)
    return await (await sides.legacy.connection.execute(query, {"names": list(names)})).fetchall()


async def _at_home(sides: Sides, found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those whose users are at home in the legacy database, by their ids there; their fence rows are held from now on."""
    rows = await (
        await sides.legacy.connection.execute(
            "select w.key, f.user_id from unnest(%s::text[], %s::text[]) w (key, ref)"
            " join heller_fence.fence f on f.user_id = coalesce(heller_fence.user_of(w.ref), w.ref)"
            " where f.epoch %% 2 = 0 order by f.user_id for share of f",
            [list(found), [about["account"] for about in found.values()]],
        )
    ).fetchall()
    return [dict(found[key]) | {"account": user} for key, user in rows]
