"""heller's own database as the handover uses it: what is known, activate, seal, refuse, confirm."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from heller.database import translating
from heller.migration.handover.points import Reached, unwatched

_KNOWN = """
select t.account_id, t.source_table, t.source_id, t.delta, null::text as payment_key, null::text as state, null::bigint as version
from heller.transactions t
where t.account_id = any(%(accounts)s) and t.unit = 'credit' and t.source_system = %(system)s
union all
select p.account_id, p.source_table, p.source_id, null, p.payment_key, p.state, p.version
from heller.payments p where p.account_id = any(%(accounts)s) and p.source_system = %(system)s
"""

_BESIDE = """
select o.source_table, o.source_id from heller.migration_outcomes o
join unnest(%(tables)s::text[], %(ids)s::text[]) w (source_table, source_id) using (source_table, source_id)
where o.source_system = %(system)s
"""


@dataclass(slots=True)
class Known:
    """What heller has of one legacy user: rows with their credits, payments with key, state and version."""

    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    payments: dict[tuple[str, str], tuple[str, str, int]] = field(default_factory=dict)


class OurSide:
    """heller's database behind one autocommitting connection."""

    def __init__(self, connection: AsyncConnection, system: str) -> None:
        self.connection = connection
        self.system = system
        self.reached: Reached = unwatched

    async def known(self, accounts: Sequence[str]) -> dict[str, Known]:
        """Which legacy rows are here, by account."""
        found = {account: Known() for account in accounts}
        rows = await self._all(_KNOWN, {"accounts": list(accounts), "system": self.system})
        for account, table, row, delta, key, state, version in rows:
            if key is None:
                found[account].rows[table, row] = delta
            else:
                found[account].payments[table, row] = (key, state, version)
        return found

    async def beside(self, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these rows the copy has merged into others or left out, with a reason."""
        wanted = list(places)
        if not wanted:
            return set()
        tables, ids = (list(column) for column in zip(*wanted, strict=True))
        return set(await self._all(_BESIDE, {"tables": tables, "ids": ids, "system": self.system}))

    async def prices(self) -> dict[tuple[int, str], int]:
        """How many credits each price brought, as the copied payments say: for payments whose credits nobody wrote down."""
        rows = await self._all(
            "select distinct on (amount, currency) amount, coalesce(currency, ''), credits from ("
            " select amount, currency, credits, count(*) as n from heller.payments"
            " where source_system = %s and amount > 0 and net_credits > 0 group by 1, 2, 3) x order by amount, currency, n desc, credits",
            [self.system],
        )
        return {(amount, currency): credits for amount, currency, credits in rows}

    async def claim(self, accounts: Sequence[str]) -> None:
        """Accounts that were copied since the fence was built are at home in the legacy database, too."""
        await self._json("select heller.claim_homes(%s, %s)", [self.system, list(accounts)])

    async def activate(self, statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Take sealed users over; one transaction, each user alone."""
        return await self._write(
            "heller.activating",
            "select heller.activate_homes(%s, %s)",
            [Jsonb(list(statements)), self.system],
        )

    async def seal(self, accounts: Sequence[str]) -> list[dict[str, Any]]:
        """Seal accounts for their return."""
        return await self._write(
            "heller.sealing", "select heller.seal_homes(%s, %s)", [list(accounts), self.system]
        )

    async def refuse(self, statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give sealed users back unchanged."""
        return await self._write(
            "heller.refusing", "select heller.refuse_homes(%s, %s)", [Jsonb(list(statements)), self.system]
        )

    async def statements(self, accounts: Sequence[str]) -> list[dict[str, Any]]:
        """The statements of accounts sealed here, as the legacy side takes them."""
        rows = await self._all(
            "select s.account_id, s.epoch, s.balance, s.transactions, s.sum, s.digest, s.body from heller.statements s"
            " join heller.accounts a on a.account_id = s.account_id and a.unit = 'credit' and a.epoch = s.epoch"
            " where s.account_id = any(%s)",
            [list(accounts)],
        )
        return [
            {
                "account": account,
                "epoch": epoch,
                "balance": balance,
                "count": count,
                "sum": total,
                "digest": digest,
            }
            | body
            for account, epoch, balance, count, total, digest, body in rows
        ]

    async def confirm(self, returns: Sequence[Mapping[str, Any]]) -> None:
        """Note that returns were received."""
        await self.connection.execute("select heller.confirm_returns(%s)", [Jsonb(list(returns))])

    async def quarantine(self, account: str, reason: str) -> None:
        """Note why a user stays between the homes."""
        await self.connection.execute(
            "select heller.quarantine_home(%s, %s, %s)", [account, reason, self.system]
        )

    async def epochs(self, accounts: Sequence[str] | None = None) -> dict[str, int]:
        """The epochs of these accounts, or of all that ever moved."""
        if accounts is None:
            query = "select account_id, epoch from heller.accounts where unit = 'credit' and epoch > 0"
            return dict(await self._all(query, []))
        return dict(
            await self._all(
                "select account_id, coalesce(epoch, -1) from heller.accounts where unit = 'credit' and account_id = any(%s)",
                [list(accounts)],
            )
        )

    async def _write(self, point: str, query: str, values: list[Any]) -> list[dict[str, Any]]:
        async with self.connection.transaction():
            await self.connection.execute("set transaction isolation level read committed")
            await self.connection.execute("set local synchronous_commit = on")
            result: list[dict[str, Any]] = await self._json(query, values)
            self.reached(point)
        return result

    async def _json(self, query: str, values: list[Any]) -> Any:
        rows = await self._all(query, values)
        return rows[0][0]

    async def _all(self, query: str, values: Any) -> list[tuple[Any, ...]]:
        with translating():
            return await (await self.connection.execute(query, values)).fetchall()
