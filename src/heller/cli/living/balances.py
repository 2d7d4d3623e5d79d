"""What customers have now, read from the database of their home, and compared with what they were told."""

import asyncio
from collections.abc import Sequence

from psycopg import AsyncConnection

from heller.migration.handover import fence
from legacy_sample.traffic import Customer, Record

SETTLE_SECONDS_MAX = 20.0
LOOK_SECONDS = 0.2

_FENCED = """
select b.user_id, b.balance from heller_fence.balances(%s) b join heller_fence.fence f using (user_id) where f.epoch %% 2 = 0
"""
_UNFENCED = "select id::text, credits_balance from users where id::text = any(%s)"
_OURS = "select account_id, posted from heller.accounts where account_id = any(%s) and unit = 'credit' and epoch %% 2 = 1"


async def balances(
    legacy: AsyncConnection, ours: AsyncConnection | None, users: Sequence[str]
) -> dict[str, int]:
    """The balance of each of these users; one between the homes is missing."""
    query = _FENCED if await fence.is_installed(legacy) else _UNFENCED
    found: dict[str, int] = dict(await (await legacy.execute(query, [list(users)])).fetchall())
    if ours is not None:
        found |= dict(await (await ours.execute(_OURS, [list(users)])).fetchall())
    return found


async def wrong_ones(
    record: Record, customers: Sequence[Customer], legacy: AsyncConnection, ours: AsyncConnection | None
) -> list[str]:
    """Customers whose balance is not what was acknowledged, after what is under way had time to arrive."""
    users = [customer.user for customer in customers]
    for _ in range(int(SETTLE_SECONDS_MAX / LOOK_SECONDS)):
        found = record.wrong(customers, await balances(legacy, ours, users))
        if not found:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return found
