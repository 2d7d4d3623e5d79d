"""The legacy database as the handover uses it: look, seal, read, take back. One connection, one statement each."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb

from heller.migration.handover.canonical import HistoryRow, PaymentRow
from heller.migration.handover.layout import Layout, Part
from heller.migration.handover.points import Reached, unwatched
from heller.migration.selects import source_select, staged_columns

USERS_FETCH = 2_000


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the legacy database said of one user in the transaction that sealed it."""

    user: str
    epoch: int
    balance: int
    rows: int
    sum: int
    digest: str
    sealed_at: datetime


@dataclass(slots=True)
class Seen:
    """The rows of one user as a look found them: place to change of credits; and their digest."""

    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    digest: int = 0

    @property
    def sum(self) -> int:
        """All changes together."""
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Carried:
    """What returns have written here: history rows, and payments with the keys heller knows them by.

    ``delivered`` are payments made in heller and paid when their buyer was at home here: heller has not credited them.
    """

    rows: frozenset[tuple[str, str]]
    payments: Mapping[tuple[str, str], str]
    named: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    delivered: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """Canonical rows of one user."""

    payments: list[PaymentRow]
    history: list[HistoryRow]


class LegacySide:
    """The legacy database behind one autocommitting connection, with a fence."""

    def __init__(self, connection: AsyncConnection, layout: Layout) -> None:
        self.connection = connection
        self.layout = layout
        self.reached: Reached = unwatched
        self._parts = {part.number: part for part in layout.rows}

    async def look(self, users: Sequence[str]) -> dict[str, Seen]:
        """Every row of these users, by place, with a digest of all of them."""
        seen = {user: Seen() for user in users}
        rows = await self._all(
            "select user_id, source, id, delta, hash from heller_fence.look(%s)", [list(users)]
        )
        for user, source, row, delta, row_hash in rows:
            seen[user].rows[self._parts[source].label, row] = delta or 0
            seen[user].digest += row_hash
        return seen

    async def carried(self, users: Sequence[str]) -> dict[str, Carried]:
        """What was carried back for these users."""
        rows = await self._all(
            "select user_id, source_table, source_id, null from heller_fence.carried where user_id = any(%(u)s) and source_id is not null"
            " union all select user_id, source_table, source_id, payment_key from heller_fence.carried_payments"
            " where user_id = any(%(u)s) and source_id is not null",
            {"u": list(users)},
        )
        found: dict[str, tuple[set[tuple[str, str]], dict[tuple[str, str], str]]] = {}
        for user, table, row, key in rows:
            places, payments = found.setdefault(user, (set(), {}))
            if key is None:
                places.add((table, row))
            else:
                payments[table, row] = key
        named: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = {}
        for user, table, row, key, kind, reason, metadata in await self._all(
            "select user_id, source_table, source_id, key, kind, reason, metadata from heller_fence.keys"
            " where user_id = any(%s) and source_id is not null",
            [list(users)],
        ):
            found.setdefault(user, (set(), {}))
            named.setdefault(user, {})[table, row] = {
                "key": key,
                "kind": kind,
                "reason": reason,
                "metadata": metadata,
            }
        delivered: dict[str, list[Mapping[str, Any]]] = {}
        for user, key, credits, table, row in await self._all(
            "select c.user_id, c.payment_key, (to_jsonb(c) ->> 'delivered')::bigint, c.source_table, c.source_id"
            " from heller_fence.carried_payments c where c.user_id = any(%s) and to_jsonb(c) ->> 'delivered' is not null",
            [list(users)],
        ):  # a fence of 0.1.0 has no column delivered
            found.setdefault(user, (set(), {}))
            delivered.setdefault(user, []).append(
                {
                    "payment_key": key,
                    "delivered": credits,
                    "source_table": table or "delivered",
                    "source_id": row or key,
                }
            )
        return {
            user: Carried(frozenset(places), payments, named.get(user, {}), delivered.get(user, ()))
            for user, (places, payments) in found.items()
        }

    async def seal(self, users: Sequence[str]) -> list[Sealed]:
        """Seal those that are at home here and not in use this instant; one transaction."""
        async with self.connection.transaction():
            await self.connection.execute("set transaction isolation level read committed")
            await self.connection.execute("set local synchronous_commit = on")
            sealed = await self._statements("select * from heller_fence.seal(%s)", [list(users)])
            self.reached("legacy.sealing")
        return sealed

    async def statements(self, users: Sequence[str]) -> list[Sealed]:
        """The last statements of users who are sealed."""
        return await self._statements(
            "select s.* from heller_fence.statements s join heller_fence.fence f on f.user_id = s.user_id and f.epoch = s.epoch"
            " where s.user_id = any(%s) and f.epoch %% 2 = 1",
            [list(users)],
        )

    async def read(self, users: Sequence[str], *, without: Iterable[str] = ()) -> dict[str, Read]:
        """Canonical rows of these users, without history rows of the given ids. Rows that cannot be read are left out."""
        names = await self._names(users)
        result = {user: Read([], []) for user in users}
        skipped = list(without)
        for part in self.layout.rows:
            for ref, row in await self._rows_of(part, list(names), skipped):
                user = names.get(ref)
                if user is not None:
                    if isinstance(row, PaymentRow):
                        result[user].payments.append(row)
                    else:
                        result[user].history.append(row)
        return await self._with_admins(result)

    async def take_back(self, statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Write heller's statements into the legacy history and take ownership; one transaction, each user alone."""
        async with self.connection.transaction():
            await self.connection.execute("set transaction isolation level read committed")
            await self.connection.execute("set local synchronous_commit = on")
            rows = await self._all("select heller_fence.take_back(%s)", [Jsonb(list(statements))])
            self.reached("legacy.activating")
        results: list[dict[str, Any]] = rows[0][0]
        return results

    async def epochs(self, users: Sequence[str] | None = None) -> dict[str, int]:
        """The epochs of these users, or of all who ever moved."""
        if users is None:
            return dict(await self._all("select user_id, epoch from heller_fence.fence where epoch > 0", []))
        return dict(
            await self._all(
                "select user_id, epoch from heller_fence.fence where user_id = any(%s)", [list(users)]
            )
        )

    async def find(self, name: str) -> str | None:
        """The user meant by an id or another name."""
        rows = await self._all("select heller_fence.user_of(%s)", [name])
        if rows[0][0] is not None:
            return str(rows[0][0])
        users = self.layout.users
        if not users.has("email"):
            return None
        query = sql.SQL(
            "select heller_fence.user_of({id}::text) from {t} where lower({e}) = lower(%s)"
        ).format(id=users.quoted("id"), t=users.identifier, e=users.quoted("email"))
        found = {row[0] for row in await (await self.connection.execute(query, [name])).fetchall()}
        return str(found.pop()) if len(found) == 1 else None

    async def users(self, *, away: bool) -> AsyncIterator[tuple[str, str]]:
        """Users with their e-mails (or ids): those at home here, or those away. Pages by id; memory stays constant."""
        users = self.layout.users
        email = (
            sql.SQL("u.{}::text").format(users.quoted("email"))
            if users.has("email")
            else sql.SQL("null::text")
        )
        query = sql.SQL(
            "select f.user_id, {email} from heller_fence.fence f left join {t} u on u.{id} = {me}"
            " where f.user_id > %s and f.epoch %% 2 = {parity} and not f.stray order by f.user_id limit {n}"
        ).format(
            email=email, t=users.identifier, id=users.quoted("id"), me=users.typed("id", sql.SQL("f.user_id")),
            parity=sql.Literal(1 if away else 0), n=sql.Literal(USERS_FETCH),
        )  # fmt: skip
        after = ""
        while rows := await (await self.connection.execute(query, [after])).fetchall():
            for user, mail in rows:
                yield user, mail or user
            after = rows[-1][0]

    async def exist(self, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these rows are in the legacy database at all, whoever's they are."""
        wanted = list(places)
        there: set[tuple[str, str]] = set()
        for part in self.layout.rows:
            ids = [row for label, row in wanted if label == part.label]
            if ids:
                query = sql.SQL("select {id}::text from {t} where {id}::text = any(%s)").format(
                    id=part.quoted("id"), t=part.identifier
                )
                there |= {
                    (part.label, row[0])
                    for row in await (await self.connection.execute(query, [ids])).fetchall()
                }
        return there

    async def _with_admins(self, read: dict[str, Read]) -> dict[str, Read]:
        """Who booked by hand, and what they said."""
        part = self.layout.admin
        wanted = {
            row.admin_ref for found in read.values() for row in found.history if row.admin_ref is not None
        }
        if part is None or not wanted:
            return read
        select = _escaped(source_select(part.mapping, part.table, part.number).as_string(self.connection))
        where = sql.SQL(" where {}::text = any (%s)").format(part.quoted("id"))
        columns = staged_columns(part.mapping)
        rows = await (await self.connection.execute(select + where, [list(wanted)])).fetchall()
        said = {
            row["id"]: (row["actor_ref"], row["comment"])
            for row in (dict(zip(columns, row, strict=True)) for row in rows)
        }
        return {
            user: Read(found.payments, [_said(row, said) for row in found.history])
            for user, found in read.items()
        }

    async def _names(self, users: Sequence[str]) -> dict[str, str]:
        rows = await self._all(
            "select name, user_id from heller_fence.aliases where user_id = any(%s)", [list(users)]
        )
        return {user: user for user in users} | dict(rows)

    async def _rows_of(
        self, part: Part, names: list[str], skipped: list[str]
    ) -> list[tuple[str, PaymentRow | HistoryRow]]:
        where = sql.SQL(" where {ref} = any (array(select {name} from unnest(%s::text[]) n (name)))").format(
            ref=part.quoted("user_ref"), name=part.typed("user_ref", sql.SQL("n.name"))
        )
        values: list[Any] = [names]
        if skipped and part.name != "payments":
            where += sql.SQL(" and {}::text <> all (%s)").format(part.quoted("id"))
            values.append(skipped)
        query = (
            _escaped(source_select(part.mapping, part.table, part.number).as_string(self.connection)) + where
        )
        columns = staged_columns(part.mapping)
        rows = await (await self.connection.execute(query, values)).fetchall()
        return [
            (ref, row)
            for ref, row in (_canonical(part, dict(zip(columns, row, strict=True))) for row in rows)
            if row is not None
        ]

    async def _statements(self, query: str, values: list[Any]) -> list[Sealed]:
        return [Sealed(*row) for row in await self._all(query, values)]

    async def _all(self, query: str, values: Any) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(query, values)).fetchall()


def _escaped(text: str) -> sql.SQL:
    return sql.SQL(text.replace("%", "%%"))


def _canonical(part: Part, row: dict[str, Any]) -> tuple[str, PaymentRow | HistoryRow | None]:
    """One row as the copy's select gives it; None where it can be no transaction (no id, no change)."""
    ref = str(row["user_ref"])
    if row["id"] is None:
        return ref, None
    if part.name == "payments":
        return ref, PaymentRow(
            part.label, row["id"], row["provider"] or "stripe", row["intent"], row["session"], row["amount"], row["currency"],
            row["credits"], row["status"], row["event"], row["raw"], row["created_at"],
        )  # fmt: skip
    if not row["delta"]:
        return ref, None
    return ref, HistoryRow(
        part.label, row["id"], part.name == "ledger", row["delta"], row["reason"], row.get("description"), row.get("payment_ref"),
        row.get("admin_ref"), row["event"], row["metadata"], row["created_at"],
    )  # fmt: skip


def _said(row: HistoryRow, said: Mapping[str, tuple[str | None, str | None]]) -> HistoryRow:
    actor, comment = said.get(row.admin_ref or "", (None, None))
    return row if actor is None and comment is None else replace(row, actor=actor, comment=comment)
