"""After a legacy database came back from an older backup: close it again for everybody who has moved since.

This is the one case outside the protocol: both counters say "mine". It is detected by I1 and refused by recover;
the remedy is run by a person while the legacy application is stopped.
"""

from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from heller.migration.handover.legacy_side import LegacySide
from heller.migration.handover.our_side import OurSide

PAGE_USERS = 500


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many users were closed again, and those whose restored rows are not the ones heller received."""

    closed: int
    differing: tuple[str, ...]


async def reseal(legacy: LegacySide, ours: OurSide) -> Resealed:
    """Raise the legacy counter of each user to where heller says it was.

    Users at home in legacy then get their last statement again (``recover``); users at home in heller stay there, and the difference in their old rows is noted.
    """
    theirs, mine = await legacy.epochs(), await ours.epochs()
    behind = sorted(
        user
        for user, epoch in mine.items()
        if theirs.get(user, 0) < epoch and not (epoch % 2 == 0 and theirs.get(user, 0) == epoch - 1)
    )
    differing: list[str] = []
    for first in range(0, len(behind), PAGE_USERS):
        users = behind[first : first + PAGE_USERS]
        target = {user: mine[user] if mine[user] % 2 else mine[user] - 1 for user in users}
        async with legacy.connection.transaction():
            await legacy.connection.execute(
                "insert into heller_fence.fence (user_id, epoch) select key, value::bigint from jsonb_each_text(%s)"
                " on conflict (user_id) do update set epoch = excluded.epoch, changed_at = clock_timestamp()",
                [Jsonb(target)],
            )
            await legacy.connection.execute(
                "delete from heller_fence.statements where user_id = any(%s) and epoch >= 1", [users]
            )
            await legacy.connection.execute("select heller_fence.make_statements(%s)", [users])
        seen = await legacy.look(users)
        received: dict[str, Any] = dict(
            await (
                await ours.connection.execute(
                    "select distinct on (account_id) account_id, digest from heller.receipts where account_id = any(%s)"
                    " order by account_id, epoch desc", [users]
                )
            ).fetchall()
        )  # fmt: skip
        differing += [user for user in users if received.get(user) not in {None, str(seen[user].digest)}]
    for user in differing:
        await ours.quarantine(
            user,
            "the restored legacy database has other rows than were received from it: compare them by hand",
        )
    return Resealed(len(behind), tuple(differing))
