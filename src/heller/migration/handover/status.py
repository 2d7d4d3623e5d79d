"""Where everybody is: the two counters of each user, summed up; who is stuck, and whose purchases wait, with the reason."""

from dataclasses import dataclass
from typing import Any

from heller.migration.handover.runs import Sides

STUCK_MAX = 100

_CAPTURED = """
select 'outbox', min(id), user_id, max(coalesce(outcome, 'not looked at yet')) from heller_fence.outbox
where drained_at is null group by txid, user_id order by 2 limit %s
"""
_OWED = """
select 'inbox', coalesce((select min(i.inbox_id) from heller.inbox i where i.payment_key = w.payment_key), 0), w.account_id,
       format('%%s credits, bought in heller and paid at home: %%s', w.credits, w.payment_key)
from heller.owed_purchases w where w.delivered_at is null order by w.noted_at limit %s
"""


@dataclass(frozen=True, slots=True)
class HandoverStatus:
    """How many users are at home where, the quarantined ones, and paid purchases that nobody has credited yet.

    ``purchases``: where it waits (outbox of the fence, inbox of Stripe's deliveries), its number there, whose, and why.
    """

    legacy: int
    heller: int
    moving_to_heller: int
    moving_to_legacy: int
    draining: int
    quarantined: tuple[tuple[str, str], ...]
    purchases: tuple[tuple[str, int, str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate status``."""
        return {
            "legacy": self.legacy, "heller": self.heller, "moving_to_heller": self.moving_to_heller,
            "moving_to_legacy": self.moving_to_legacy, "draining": self.draining,
            "quarantined": [{"account": account, "reason": reason} for account, reason in self.quarantined],
            "purchases": [dict(zip(("where", "number", "account", "reason"), waiting, strict=True)) for waiting in self.purchases],
        }  # fmt: skip


async def handover_status(sides: Sides) -> HandoverStatus:
    """Count the homes of all users, by their pairs of epochs."""
    row = await (
        await sides.legacy.connection.execute(
            "select count(*) filter (where epoch %% 2 = 0), count(*) from heller_fence.fence where not stray",
            [],
        )
    ).fetchone()
    at_legacy, users = row or (0, 0)
    theirs, mine = await sides.legacy.epochs(), await sides.ours.epochs()
    to_heller = sum(1 for user, epoch in theirs.items() if epoch == mine.get(user, 0) + 1)
    to_legacy = sum(1 for user, epoch in mine.items() if epoch == theirs.get(user, 0) + 1)
    more = await (
        await sides.ours.connection.execute(
            "select count(*) from heller.accounts where draining_since is not null and epoch is not null"
        )
    ).fetchone()
    stuck = await (
        await sides.ours.connection.execute(
            "select account_id, quarantine_reason from heller.homes where quarantined_at is not null order by quarantined_at limit %s",
            [STUCK_MAX],
        )
    ).fetchall()
    captured = await (await sides.legacy.connection.execute(_CAPTURED, [STUCK_MAX])).fetchall()
    parked = await (await sides.ours.connection.execute(_OWED, [STUCK_MAX])).fetchall()
    return HandoverStatus(
        at_legacy, users - at_legacy - to_heller - to_legacy, to_heller, to_legacy, more[0] if more else 0,
        tuple((account, reason) for account, reason in stuck), (*captured, *parked),
    )  # fmt: skip
