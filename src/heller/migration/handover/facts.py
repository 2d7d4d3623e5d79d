"""What each side says of a page of users: the raw material of the invariants and of the conservation line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from heller.migration.handover.legacy_side import LegacySide
from heller.migration.handover.our_side import OurSide

_LEGACY = """
with wanted as materialized (select u as user_id from unnest(%(users)s::text[]) u),
seen as materialized (
  select k.user_id, sum(k.delta) filter (where k.source = %(main)s)::bigint as history, sum(k.hash) as digest,
         coalesce(sum(k.delta) filter (where k.source = %(main)s and k.delta > 0), 0)::bigint as brought
  from heller_fence.look(%(users)s) k group by k.user_id
), carried as (
  select c.user_id, sum(c.delta)::bigint as credits, count(*) as n, coalesce(sum(c.delta) filter (where c.delta > 0), 0)::bigint as brought
  from heller_fence.carried c where c.user_id = any (%(users)s) group by c.user_id
)
select w.user_id, f.epoch, coalesce(b.balance, 0), o.balance, coalesce(o.history, 0), coalesce(s.history, 0), coalesce(s.digest, 0)::text,
       coalesce(c.credits, 0), coalesce(c.n, 0), st.balance, st.digest, coalesce(s.brought, 0) - coalesce(c.brought, 0) - coalesce(o.brought, 0)
from wanted w
left join heller_fence.fence f on f.user_id = w.user_id
left join heller_fence.balances(%(users)s) b on b.user_id = w.user_id
left join heller_fence.opening o on o.user_id = w.user_id
left join seen s on s.user_id = w.user_id
left join carried c on c.user_id = w.user_id
left join heller_fence.statements st on st.user_id = f.user_id and st.epoch = f.epoch and f.epoch %% 2 = 1
"""

_OURS = """
select a.account_id, a.epoch, a.posted, coalesce(t.total, 0), coalesce(t.own, 0), coalesce(t.since, 0), a.last_seq,
       h.seen_seq, h.our_balance, h.legacy_balance, st.balance, coalesce(st.body ? 'refused', false), h.quarantine_reason,
       t.twice, coalesce(t.known_to_legacy, 0), coalesce(t.brought, 0), coalesce(t.from_legacy, 0), h.account_id is not null
from heller.accounts a
left join heller.homes h on h.account_id = a.account_id
left join heller.statements st on st.account_id = a.account_id and st.epoch = a.epoch
left join lateral (
  select sum(x.delta)::bigint as total,
         sum(x.delta) filter (where x.source_system is distinct from %(system)s)::bigint as own,
         sum(x.delta) filter (where x.seq > h.seen_seq)::bigint as since,
         count(*) filter (where x.source_system is distinct from %(system)s and x.seq <= h.seen_seq) as known_to_legacy,
         sum(x.delta) filter (where x.source_system is distinct from %(system)s and x.delta > 0)::bigint as brought,
         count(*) filter (where x.source_system = %(system)s) as from_legacy,
         (select min(k.payment_key) from (
            select d.payment_key from heller.transactions d
            where d.account_id = a.account_id and d.unit = a.unit and d.kind = 'purchase' and d.payment_key is not null
              and d.delta > 0 and d.related_seq is null  -- a void takes it back, a reversal undoes one of the two
            group by d.payment_key having count(*) > 1 and bool_or(d.source_system is distinct from %(system)s)) k) as twice
  from heller.transactions x where x.account_id = a.account_id and x.unit = a.unit
) t on true
where a.account_id = any (%(users)s) and a.unit = 'credit'
"""


@dataclass(frozen=True, slots=True)
class LegacyFacts:
    """One user in the legacy database. ``epoch`` None: no fence row."""

    user: str
    epoch: int | None
    balance: int
    opening_balance: int | None
    opening_history: int
    history: int
    digest: str
    carried: int
    carried_rows: int
    statement_balance: int | None
    statement_digest: str | None
    brought: int

    @property
    def born(self) -> int:
        """Credits that the legacy system's own rows have brought since the fence was built."""
        return self.history - self.carried - self.opening_history


@dataclass(frozen=True, slots=True)
class OurFacts:
    """One account in heller."""

    account: str
    epoch: int | None
    posted: int
    total: int
    own: int
    since: int
    last_seq: int
    seen_seq: int | None
    our_balance: int | None
    legacy_balance: int | None
    statement_balance: int | None
    is_refused: bool
    quarantine_reason: str | None
    twice: str | None
    known_to_legacy: int
    brought: int
    from_legacy: int
    has_home: bool

    @property
    def offset(self) -> int:
        """What decisions of the migration added to or took from the legacy balance."""
        if self.our_balance is None or self.legacy_balance is None:
            return 0
        return self.our_balance - self.legacy_balance


async def read_facts(
    legacy: LegacySide, ours: OurSide, users: Sequence[str]
) -> tuple[dict[str, LegacyFacts], dict[str, OurFacts]]:
    """What both sides say of these users, each side in one snapshot."""
    main = legacy.layout.main_history
    values: dict[str, Any] = {
        "users": list(users),
        "main": main.number if main else -1,
        "system": ours.system,
    }
    theirs = await (await legacy.connection.execute(sql.SQL(_LEGACY), values)).fetchall()
    mine = await (await ours.connection.execute(sql.SQL(_OURS), values)).fetchall()
    return {row[0]: LegacyFacts(*row) for row in theirs}, {row[0]: OurFacts(*row) for row in mine}
