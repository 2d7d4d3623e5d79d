"""The fence tested on the spot: a made-up user is sealed and every way to change its credits is tried, then all is undone."""

import psycopg
from psycopg import AsyncConnection, sql

from heller.migration.handover.layout import Layout, Part
from heller.migration.handover.writing import cut, fill_id, fill_rest, names_of, values_of

MOVED = "MG001"


class _UndoError(Exception):
    """Ends the test's transaction without a trace."""


async def try_every_path(legacy: AsyncConnection, layout: Layout) -> list[str]:
    """The write paths that were not refused, as sentences; none when the fence is whole. Nothing of the test stays."""
    problems: list[str] = []
    try:
        async with legacy.transaction():
            user = await _made_up_user(legacy, layout)
            rows = {part.number: await _made_up_row(legacy, part, user) for part in layout.rows}
            await legacy.execute("update heller_fence.fence set epoch = 1 where user_id = %s", [user])
            await legacy.execute(
                "update heller_fence.settings set fence_mode = 'refuse'"
            )  # captured is refused, too
            for role in ("origin", "replica"):
                if await _may_become(legacy, role):
                    problems += await _try_as(legacy, layout, user, rows=rows, role=role)
            raise _UndoError
    except _UndoError:
        return problems
    except psycopg.Error as error:  # a schema in which no user can be made up
        return [f"the self-test could not run: {str(error).splitlines()[0]}"]


async def _made_up_user(legacy: AsyncConnection, layout: Layout) -> str:
    part = layout.users
    given: dict[str, sql.Composable] = {}
    fill_id(part, given)
    for field in ("email", "name"):
        if part.has(field):
            given[part.column(field).name] = cut(sql.SQL("'heller-self-test@invalid'"), part.column(field))
    given = fill_rest(part, given)
    values = (
        sql.SQL("({}) values ({})").format(names_of(given), values_of(given))
        if given
        else sql.SQL("default values")
    )
    row = await (
        await legacy.execute(
            sql.SQL("insert into {} {} returning {}::text").format(part.identifier, values, part.quoted("id"))
        )
    ).fetchone()
    return str(row[0]) if row else ""


async def _made_up_row(legacy: AsyncConnection, part: Part, user: str) -> str | None:
    """One row of the user's, or None where a foreign key to a table beside forbids it."""
    try:
        async with legacy.transaction():
            row = await (await legacy.execute(_insert(part, user))).fetchone()
    except psycopg.errors.IntegrityError:
        return None
    return str(row[0]) if row else None


def _insert(part: Part, user: str) -> sql.Composed:
    given: dict[str, sql.Composable] = {
        part.column("user_ref").name: part.typed("user_ref", sql.Literal(user))
    }
    fill_id(part, given)
    if part.has("delta"):
        given[part.column("delta").name] = sql.SQL("-1")
    given = fill_rest(part, given)
    return sql.SQL("insert into {} ({}) values ({}) returning {}::text").format(
        part.identifier, names_of(given), values_of(given), part.quoted("id")
    )


async def _may_become(legacy: AsyncConnection, role: str) -> bool:
    try:
        async with legacy.transaction():
            await legacy.execute(sql.SQL("set local session_replication_role = {}").format(sql.Literal(role)))
    except psycopg.errors.InsufficientPrivilege:
        return role == "origin"
    return True


async def _try_as(
    legacy: AsyncConnection, layout: Layout, user: str, *, rows: dict[int, str | None], role: str
) -> list[str]:
    problems: list[str] = []
    for path, statement in _paths(layout, user, rows):
        try:
            async with legacy.transaction():
                if role != "origin":
                    await legacy.execute(
                        sql.SQL("set local session_replication_role = {}").format(sql.Literal(role))
                    )
                await legacy.execute(statement)
                raise _UndoError
        except _UndoError:
            problems.append(
                f"{path} of a user who is away goes through{' as a replica' if role != 'origin' else ''}"
            )
        except psycopg.Error as error:
            if error.sqlstate != MOVED:
                problems.append(
                    f"{path} of a user who is away failed otherwise: {str(error).splitlines()[0]}"
                )
    return problems


def _paths(layout: Layout, user: str, rows: dict[int, str | None]) -> list[tuple[str, sql.Composed]]:
    """Every way to change the credits of a user: a name and the statement."""
    users = layout.users
    me = users.typed("id", sql.Literal(user))
    where = sql.SQL("where {} = {}").format(users.quoted("id"), me)
    paths = [(f"delete from {users.label}", sql.SQL("delete from {} {}").format(users.identifier, where))]
    if users.has("balance"):
        for change in ("+ 1", "- 1"):
            statement = sql.SQL("update {t} set {b} = coalesce({b}, 0) {c} {w}").format(
                t=users.identifier,
                b=users.quoted("balance"),
                c=sql.SQL(change),
                w=where,
            )
            paths.append((f"update {users.label} ({change})", statement))
    for part in layout.rows:
        paths.append((f"insert into {part.label}", _insert(part, user)))
        row = rows[part.number]
        if row is None:
            continue
        here = sql.SQL("where {} = {}").format(part.quoted("id"), part.typed("id", sql.Literal(row)))
        paths.append(
            (f"delete from {part.label}", sql.SQL("delete from {} {}").format(part.identifier, here))
        )
        column = part.quoted("delta" if part.has("delta") else "status")
        paths.append(
            (
                f"update {part.label}",
                sql.SQL("update {t} set {c} = {c} {w}").format(t=part.identifier, c=column, w=here),
            )
        )
    return paths
