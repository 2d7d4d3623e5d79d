"""The crowd: everyone without a mess, made set-based inside PostgreSQL.

Each person buys, is given or fails to pay in up to four *episodes*; an episode that brings credits is
followed by spends it can pay for, so no running balance is ever negative. All choices come from
``hashint8extended`` (the function hash partitioning relies on, so it never changes) and ``md5``, never
from ``random()``. Spends follow a cycle of costs whose prefix sums are known, so that balances need no
second pass over the transactions.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from itertools import accumulate
from typing import Any, Final

from psycopg import sql

from legacy_sample.names import DOMAINS, FIRST, LAST
from legacy_sample.tables import Writer, user_id

CHUNK_USERS: Final = 25_000
SEED_LIMIT: Final = 2**53
_COSTS: Final = (10, 5, 10, 15, 10, 10, 5, 15, 10, 5, 10, 10, 15, 5, 10, 15) * 3
_PACKS: Final = (
    (100, 500, "small"), (100, 500, "small"), (100, 500, "small"), (500, 2000, "medium"), (500, 2000, "medium"),
    (1200, 3500, "large"), (1000, 3500, "large_2024"), (2500, 7500, "mega"), (50, 499, "starter"), (50, 499, "starter"),
    (200, 999, "plus"), (200, 999, "plus"), (1000, 2499, "pro"), (500, 2000, "medium"), (1200, 3500, "large"),
    (1000, 2499, "pro"),
)  # fmt: skip
_TARGETS: Final = (
    ("users", "users"), ("stripe_customers", "customers"), ("payments", "payments"),
    ("credit_transactions", "transactions"), ("processed_events", "processed_events"), ("stripe_events", "stripe_events"),
    ("admin_actions", "admin"),
)  # fmt: skip


@dataclass(slots=True)
class Offsets:
    """How many rows each counted table already has: the next id is one more."""

    payments: int = 0
    transactions: int = 0
    admin: int = 0
    events: int = 0
    ledger: int = 0


def _query(name: str) -> sql.SQL:
    return sql.SQL((resources.files("legacy_sample") / "queries" / f"{name}.sql").read_text(encoding="utf-8"))


async def write(
    writer: Writer,
    *,
    users: int,
    stride: int,
    taken: int,
    offsets: Offsets,
) -> AsyncIterator[int]:
    """Write persons 1..``users`` but every ``stride``-th one up to ``taken`` of them, which the cases have.

    Yields the last number done, after each chunk; ``offsets`` are moved on.
    """
    layout = writer.layout
    await writer.connection.execute(_query("tables"))
    fixed: dict[str, Any] = {
        "seed": layout.seed,
        "stride": stride,
        "taken": taken,
        "costs": list(_COSTS),
        "sums": list(accumulate(_COSTS, initial=0)),
        "pack_credits": [pack[0] for pack in _PACKS],
        "pack_cents": [pack[1] for pack in _PACKS],
        "pack_names": [pack[2] for pack in _PACKS],
        "currency": layout.currency,
        "first_shown": [shown for shown, _ in FIRST],
        "first_plain": [plain for _, plain in FIRST],
        "last_shown": [shown for shown, _ in LAST],
        "last_plain": [plain for _, plain in LAST],
        "domains": list(DOMAINS),
    }
    uid = sql.SQL(user_id(layout, "p.n"))
    targets = [*_TARGETS, ("credit_ledger", "ledger")] if "ledger_filled" in layout.flags else list(_TARGETS)
    for first in range(1, users + 1, CHUNK_USERS):
        last = min(first + CHUNK_USERS - 1, users)
        values = fixed | {"first": first, "last": last}
        values |= {
            f"{name}_before": getattr(offsets, name)
            for name in ("payments", "transactions", "admin", "events", "ledger")
        }
        await writer.connection.execute("truncate crowd_people, crowd_episodes")
        await writer.connection.execute(_query("people").format(uid=uid), values)
        await writer.connection.execute(_query("episodes"), values)
        written = {table: await writer.insert(table, _query(name), values) for table, name in targets}
        counted = await writer.connection.execute(
            "select max(payment_id), max(admin_id), max(event_no) from crowd_episodes"
        )
        row = await counted.fetchone()
        payments, admin, events = row or (None, None, None)
        offsets.payments = payments or offsets.payments
        offsets.admin = admin or offsets.admin
        offsets.events = events or offsets.events
        offsets.transactions += written["credit_transactions"]
        offsets.ledger += written.get("credit_ledger", 0)
        yield last
