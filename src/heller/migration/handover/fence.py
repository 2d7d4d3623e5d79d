"""The fence in the legacy database: built, inspected, tested and taken down.

Building it again changes nothing but what is missing. Locks are short and time-limited; the application keeps running.
"""

import asyncio
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Literal

import psycopg
from psycopg import AsyncConnection, sql

from heller.database import call
from heller.errors import Busy, MigrationError
from heller.migration.handover.guards import (
    amount,
    balance_of,
    function_statements,
    guard_statements,
    reference,
    trigger_names,
)
from heller.migration.handover.layout import Layout, Part
from heller.migration.handover.legacy_side import LegacySide
from heller.migration.handover.our_side import OurSide
from heller.migration.handover.posting import post_statements
from heller.migration.handover.reseal import reseal as close_again
from heller.migration.handover.selftest import try_every_path
from heller.migration.handover.taking_back import take_back_statements

LOCK_TIMEOUT = "2s"
TRIES = 30
RETRY_SECONDS = 0.5
ALIAS_ROWS = 5_000
RESEAL_HINT = (
    "Stop the legacy application, then 'heller migrate fence install --reseal' closes it for those users and"
    " 'heller migrate recover' sets the others right."
)
FenceMode = Literal["refuse", "capture"]

_OPENING = """
with fresh as (
  select f.user_id, {balance} as balance
  from heller_fence.fence f join {users} u on u.{id}::text = f.user_id
  where not f.stray and not exists (select from heller_fence.opening o where o.user_id = f.user_id)
), history as (
  select coalesce(a.user_id, h.ref) as user_id, sum(h.delta)::bigint as delta, sum(greatest(h.delta, 0))::bigint as brought from ({history}) h
  left join heller_fence.aliases a on a.name = h.ref group by 1
), also as (  -- what further rows of the same person in users hold
  select a.user_id, sum(coalesce({balance}, 0))::bigint as balance from heller_fence.aliases a join {users} u on u.{id} = {alias} group by 1
)
insert into heller_fence.opening (user_id, balance, history, brought)
select f.user_id, coalesce(f.balance, h.delta, 0) + coalesce(o.balance, 0),  -- an empty balance is what the history says
       coalesce(h.delta, 0), coalesce(h.brought, 0) from fresh f
left join history h on h.user_id = f.user_id left join also o on o.user_id = f.user_id
on conflict do nothing
"""

_STATUS = """
select (select count(*) from heller_fence.fence where not stray), (select count(*) from heller_fence.fence where epoch % 2 = 1),
       (select count(*) from heller_fence.fence where stray), (select count(*) from heller_fence.outbox where drained_at is null),
       s.fence_mode, s.installed_at
from heller_fence.settings s
"""


@dataclass(frozen=True, slots=True)
class FenceStatus:
    """How the fence stands. ``problems`` is empty when every write path of a user who is away is refused."""

    installed: bool
    shape: str
    truth: str
    fence_mode: str = "refuse"
    users: int = 0
    away: int = 0
    strays: int = 0
    outbox: int = 0
    tables: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Installed and without a hole."""
        return self.installed and not self.problems

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate fence``."""
        return asdict(self) | {"ok": self.ok}


async def install(
    legacy: AsyncConnection,
    ours: AsyncConnection,
    layout: Layout,
    *,
    fence_mode: FenceMode = "refuse",
    reseal: bool = False,
) -> FenceStatus:
    """Build the fence, or what is missing of it; then every copied account is at home in the legacy database here, too.

    Raises:
        Busy: a table stayed locked by the application for a quarter of a minute.
        MigrationError: heller already holds users of a fence that this database never had.
    """
    if not reseal:
        await _check_pairs(legacy, ours, layout)
    text = files("heller.migration.handover").joinpath("sql", "fence.sql").read_text("utf-8")
    await _alone(legacy, sql.SQL(text))
    await legacy.execute(
        "insert into heller_fence.settings (system, truth, fence_mode, mapping) values (%s, %s, %s, %s)"
        " on conflict (one) do update set truth = excluded.truth, fence_mode = excluded.fence_mode, mapping = excluded.mapping",
        [layout.system, layout.truth, fence_mode, layout.mapping_text],
    )
    await _learn_aliases(legacy, ours, layout)
    for part in layout.rows:
        await _index(legacy, part)
    for part in layout.guarded:
        for statement in guard_statements(part):
            await _alone(legacy, statement)
    await _alone(
        legacy,
        sql.SQL("; ").join(
            [
                *function_statements(layout),
                *await take_back_statements(legacy, layout),
                *await post_statements(legacy, layout),
            ]
        ),
    )
    await _build_rows(legacy, layout)
    if reseal:
        await close_again(LegacySide(legacy, layout), OurSide(ours, layout.system))
    await call(ours, "claim_homes", system=layout.system)
    return await status(legacy, layout, test=True)


async def status(legacy: AsyncConnection, layout: Layout, *, test: bool = False) -> FenceStatus:
    """How the fence stands; ``test`` tries every write path of a made-up sealed user and undoes it."""
    if not await is_installed(legacy):
        return FenceStatus(False, layout.mapping.shape, layout.truth, problems=("there is no fence",))
    row = await (await legacy.execute(_STATUS)).fetchone()
    problems = await _missing_triggers(legacy, layout)
    if test and not problems:
        problems += await try_every_path(legacy, layout)
    users, away, strays, outbox, mode, _ = row or (0, 0, 0, 0, "refuse", None)
    return FenceStatus(
        True, layout.mapping.shape, layout.truth, mode, users, away, strays, outbox,
        tuple(part.table.label for part in layout.guarded), tuple(problems),
    )  # fmt: skip


async def remove(
    legacy: AsyncConnection, ours: AsyncConnection, layout: Layout, *, even_moved: bool = False
) -> None:
    """Take the fence down. Users who are away keep no guard, so it is refused while there are any, unless ``even_moved``.

    Raises:
        MigrationError: users are away and ``even_moved`` was not said.
    """
    if not await is_installed(legacy):
        return
    row = await (
        await legacy.execute("select count(*) from heller_fence.fence where epoch % 2 = 1")
    ).fetchone()
    away = row[0] if row else 0
    if away and not even_moved:
        raise MigrationError(
            f"{away} users are at home in heller or moving; without the fence the legacy system could spend their credits again.",
            hint="Return them first, or say --even-moved when the legacy system is switched off for good.",
        )
    for part in layout.guarded:
        for name in trigger_names(part):
            await _alone(
                legacy,
                sql.SQL("drop trigger if exists {} on {}").format(sql.Identifier(name), part.identifier),
            )
    for part in layout.rows:
        await legacy.execute(sql.SQL("drop index concurrently if exists {}").format(_index_name(part)))
    await _alone(legacy, sql.SQL("drop schema heller_fence cascade"))
    if not away:
        await ours.execute("update heller.accounts set epoch = null where epoch = 0")


async def is_installed(legacy: AsyncConnection) -> bool:
    """Whether there is a fence."""
    row = await (await legacy.execute("select to_regclass('heller_fence.settings') is not null")).fetchone()
    if not (row and row[0]):
        return False
    row = await (await legacy.execute("select count(*) from heller_fence.settings")).fetchone()
    return bool(row and row[0])


async def _check_pairs(legacy: AsyncConnection, ours: AsyncConnection, layout: Layout) -> None:
    """A fence that starts at 0 where heller has counted moves already would make two owners."""
    if await is_installed(legacy):
        return
    row = await (
        await ours.execute(
            "select count(*) from heller.accounts a join heller.homes h using (account_id)"
            " where a.epoch > 0 and h.source_system = %s",
            [layout.system],
        )
    ).fetchone()
    if row and row[0]:
        raise MigrationError(
            f"heller has moved {row[0]} users of this system before, but its database has no fence: it was restored from an older"
            " backup, or the fence was removed.",
            hint=RESEAL_HINT,
        )


async def _alone(legacy: AsyncConnection, statement: sql.SQL | sql.Composed) -> None:
    """One change of the schema in its own transaction, waiting at most two seconds for locks, again and again."""
    for attempt in range(TRIES):
        try:
            async with legacy.transaction():
                await legacy.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
                await legacy.execute("set local client_min_messages = warning")
                await legacy.execute(statement)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if attempt == TRIES - 1:
                raise Busy(
                    f"The legacy application holds locks that the fence needs: {str(error).splitlines()[0]}",
                    hint="Look for long transactions in pg_stat_activity, then run the command again.",
                ) from error
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _index_name(part: Part) -> sql.Identifier:
    return sql.Identifier(part.table.schema, f"heller_fence_{part.number}")


async def _index(legacy: AsyncConnection, part: Part) -> None:
    """An index by user where there is none: a seal reads a user's rows, not the table."""
    query = (
        "select i.indisvalid, c.relname from pg_index i join pg_class c on c.oid = i.indexrelid"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
        " where i.indrelid = %s::regclass and a.attname = %s and i.indpred is null"
    )
    column = part.mapping.columns["user_ref"]
    found = await (await legacy.execute(query, [part.identifier.as_string(legacy), column])).fetchall()
    if any(is_valid for is_valid, _ in found):
        return
    await legacy.execute(sql.SQL("drop index concurrently if exists {}").format(_index_name(part)))
    await legacy.execute(
        sql.SQL("create index concurrently {} on {} ({})").format(
            sql.Identifier(f"heller_fence_{part.number}"), part.identifier, reference(part)
        )
    )


async def _learn_aliases(legacy: AsyncConnection, ours: AsyncConnection, layout: Layout) -> None:
    """Further names of users, from the identities that the copy resolved.

    A name that is another user's id is not one, unless the copy merged that user.
    """
    users = layout.users
    learn = sql.SQL(
        "insert into heller_fence.aliases (name, user_id)"
        " select n.name, n.user_id from unnest(%s::text[], %s::text[], %s::text[]) n (kind, name, user_id)"
        " where n.kind = 'legacy_id' or not exists (select from {users} u where u.{id} = {name}) on conflict do nothing"
    ).format(users=users.identifier, id=users.quoted("id"), name=users.typed("id", sql.SQL("n.name")))
    async with ours.transaction(), ours.cursor(name="heller_names") as names:
        await names.execute(
            "select i.kind, i.name, i.user_id from heller.identities i where i.name <> i.user_id and exists ("
            " select from heller.transactions t where t.account_id = i.user_id and t.source_system = %s)",
            [layout.system],
        )
        while rows := await names.fetchmany(ALIAS_ROWS):
            await legacy.execute(learn, [list(column) for column in zip(*rows, strict=True)])


async def _build_rows(legacy: AsyncConnection, layout: Layout) -> None:
    """Fence rows for all users, the other ways their rows are written, and what each has now."""
    users = layout.users
    balance = balance_of(users, sql.SQL("u")) if users.has("balance") else sql.SQL("0::bigint")
    await legacy.execute(
        sql.SQL(
            "insert into heller_fence.fence (user_id) select u.{id}::text from {users} u"
            " where not exists (select from heller_fence.aliases a where a.name = u.{id}::text) on conflict do nothing"
        ).format(id=users.quoted("id"), users=users.identifier)
    )
    for part in layout.rows:
        if not part.mapping.strict:
            await legacy.execute(
                sql.SQL(
                    "insert into heller_fence.aliases (name, user_id) select x.ref, x.user_id from ("
                    " select d.ref, heller_fence.user_of(d.ref) as user_id from (select distinct t.{ref}::text as ref from {table} t) d"
                    " where not exists (select from heller_fence.fence f where f.user_id = d.ref)) x"
                    " where x.user_id is not null on conflict do nothing"
                ).format(ref=part.quoted("user_ref"), table=part.identifier)
            )
    main = layout.main_history
    history = sql.SQL("select null::text as ref, null::bigint as delta where false").format()
    if main:
        history = sql.SQL("select t.{ref}::text as ref, {delta} as delta from {table} t").format(
            ref=main.quoted("user_ref"), delta=amount(main, sql.SQL("t")), table=main.identifier
        )
    await legacy.execute(
        sql.SQL(_OPENING).format(
            users=users.identifier, id=users.quoted("id"), balance=balance, history=history,
            alias=users.typed("id", sql.SQL("a.name")),
        )
    )  # fmt: skip


async def _missing_triggers(legacy: AsyncConnection, layout: Layout) -> list[str]:
    """Triggers that are gone, or that a replica role would walk past."""
    problems: list[str] = []
    for part in layout.guarded:
        rows = await (
            await legacy.execute(
                "select tgname, tgenabled::text from pg_trigger where tgrelid = %s::regclass",
                [part.identifier.as_string(legacy)],
            )
        ).fetchall()
        there: dict[str, Any] = dict(rows)
        problems += [
            f"{part.table.label} has no trigger {name}"
            if name not in there
            else f"the trigger {name} of {part.table.label} is not ENABLE ALWAYS"
            for name in trigger_names(part)
            if there.get(name) != "A"
        ]
    return problems
