"""The soak's last question: each operation that a customer was told of is there once, by its own name.

Sums can hide two mistakes behind each other; names cannot. Everybody is handed over to heller first, so that the whole
history of each customer is in one place.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from legacy_sample.traffic import Customer

TOLD_MAX = 20
# a spend bears the customer's own name for it, a purchase Stripe's name of the payment
NAMED = """
select account_id, kind, name, count(*), sum(delta)::bigint from (
  select account_id, kind, delta, case kind when 'spend' then coalesce(metadata #>> '{legacy,ref}', idempotency_key)
                                   else (select p.payment_intent from heller.payments p where p.payment_key = x.payment_key) end as name
  from heller.transactions x where kind in ('spend', 'purchase') and account_id = any(%s)) t
where name ~ '^(t[0-9]+|pi_.*)$' group by 1, 2, 3
"""
POSTED = "select account_id, posted from heller.accounts where account_id = any(%s) and unit = 'credit' and epoch %% 2 = 1"


@dataclass(slots=True)
class Told:
    """What one customer was told of, by name: spends, those in doubt, payments, money that came back of them, undone."""

    spends: dict[str, int] = field(default_factory=dict)
    doubtful: dict[str, int] = field(default_factory=dict)
    payments: Counter[str] = field(default_factory=Counter)
    back: Counter[str] = field(default_factory=Counter)
    undone: int = 0
    perhaps_undone: int = 0


def read(path: Path) -> dict[str, Told]:
    """The customers' record."""
    told: dict[str, Told] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        one, what, ref = told.setdefault(entry["user"], Told()), entry["what"], entry["ref"]
        if what == "spend":
            one.spends[ref] = entry["delta"]
        elif what == "spend failed":
            one.doubtful[ref] = -entry["credits"]
        elif what == "undo":
            one.undone += entry["delta"]
        elif what == "undo failed":
            one.perhaps_undone += entry["credits"]
        elif what == "buy":
            one.payments[ref] += entry["delta"]
        elif what == "money back":
            one.back[ref] -= entry["delta"]
    return told


async def findings(
    ours: AsyncConnection, path: Path, who: list[Customer]
) -> tuple[list[str], dict[str, Any]]:
    """Each acknowledged spend and each payment is there once; nothing is there that nobody asked for; the rest is exact."""
    told, users = read(path), [one.user for one in who]
    there: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
    for user, kind, name, count, delta in await (await ours.execute(NAMED, [users])).fetchall():
        there.setdefault(user, {})[kind, name] = (count, delta)
    posted = dict(await (await ours.execute(POSTED, [users])).fetchall())
    found, exact = [], 0
    for one in who:
        mine = told.get(one.user, Told())
        found += _wrong(one, mine, there.get(one.user, {}), posted.get(one.user))
        exact += not mine.perhaps_undone
    return found[:TOLD_MAX] + ([f"{len(found)} operations in all"] if len(found) > TOLD_MAX else []), {
        "spends": sum(len(one.spends) for one in told.values()), "payments": sum(len(one.payments) for one in told.values()),
        "doubtful": sum(len(one.doubtful) for one in told.values()), "exact": exact, "wrong": len(found),
        "doubtful_done": sum(("spend", name) in there.get(user, {}) for user, one in told.items() for name in one.doubtful),
    }  # fmt: skip


def _wrong(
    one: Customer, told: Told, there: dict[tuple[str, str], tuple[int, int]], posted: int | None
) -> list[str]:
    found = []
    spent = 0
    for name, delta in told.spends.items():
        if there.get(("spend", name)) != (1, delta):
            found.append(
                f"spend {name} of {one.user}, {-delta} credits, is there as {there.get(('spend', name), 'nothing')}"
            )
        spent += delta
    for name, delta in told.doubtful.items():
        times, done = there.get(("spend", name), (0, 0))
        if (times, done) not in {(0, 0), (1, delta)}:
            found.append(
                f"spend {name} of {one.user}, which was not answered, is there {times} times with {done}"
            )
        spent += done
    for name, credits in told.payments.items():
        times, got = there.get(("purchase", name), (0, 0))
        # one that was refunded before anybody heard of it is credited in part, or never
        if times > 1 or (not told.back[name] and (times, got) != (1, credits)):
            found.append(
                f"payment {name} of {one.user}, {credits} credits, is there {times} times with {got}"
            )
    known = told.spends.keys() | told.doubtful.keys()
    found += [
        f"spend {name} of {one.user} is there and nobody asked for it" for kind, name in there if kind == "spend" and name not in known
    ]  # fmt: skip
    due = one.balance + spent + told.payments.total() - told.back.total() + told.undone
    if posted is None or not due <= posted <= due + told.perhaps_undone:
        found.append(f"{one.user} has {posted} credits and should have {due} by the names of all operations")
    return found
