"""The tables of a layout: made from ``schemas/*.sql``, keyed after the load, never made over someone's data."""

import re
from importlib import resources
from string import Template
from typing import Final

import psycopg
from psycopg import sql

from legacy_sample.layout import Layout
from legacy_sample.model import LegacySampleError

TABLES: Final = (
    "users", "stripe_customers", "payments", "credit_transactions", "credit_ledger", "processed_events", "stripe_events",
    "admin_actions",
)  # fmt: skip
_TYPES: Final = ("payment_status", "paymentstatus", "credit_reason")
_CONDITION: Final = re.compile(r"^(?P<line>.*?)\s*-- (?P<word>if|unless) (?P<flag>\w+)$")


def render(layout: Layout, name: str) -> str:
    """The text of ``schemas/<name>`` with its optional lines decided and its placeholders filled."""
    source = (resources.files("legacy_sample") / "schemas" / name).read_text(encoding="utf-8")
    kept: list[str] = []
    for line in source.splitlines():
        condition = _CONDITION.match(line)
        if condition is None:
            kept.append(line)
        elif (condition["flag"] in layout.flags) == (condition["word"] == "if"):
            kept.append(condition["line"])
    return Template("\n".join(kept)).substitute({"id_type": layout.id_type, **layout.names})


async def prepare(connection: psycopg.AsyncConnection, *, replace: bool) -> None:
    """Make sure that the target schema is empty.

    With ``replace`` the legacy system's own tables, types and view are dropped first; tables of any
    other name stay, and are refused all the same.
    """
    schema = await _scalar(connection, "select current_schema()")
    if schema is None:
        raise LegacySampleError(
            "the database has no schema to build in", "Create schema public, or set search_path."
        )
    if replace:
        await connection.execute("drop view if exists v_credit_balance")
        for table in TABLES:
            await connection.execute(sql.SQL("drop table if exists {} cascade").format(sql.Identifier(table)))
        for name in _TYPES:
            await connection.execute(sql.SQL("drop type if exists {}").format(sql.Identifier(name)))
        await connection.execute("drop function if exists apply_credit_transaction()")
    cursor = await connection.execute(
        "select relname from pg_class where relnamespace = current_schema()::regnamespace"
        " and relkind in ('r', 'p', 'v', 'm', 'f') order by relname limit 5"
    )
    found = [row[0] for row in await cursor.fetchall()]
    if found:
        raise LegacySampleError(
            f"schema {schema} already has tables: {', '.join(found)}",
            "Name an empty database, or drop the older sample (--replace, replace=True); other tables are never dropped.",
        )


async def create_tables(connection: psycopg.AsyncConnection, layout: Layout) -> None:
    """Create the layout's tables without keys."""
    await connection.execute(render(layout, f"{layout.shape}.sql"))


async def create_keys(connection: psycopg.AsyncConnection, layout: Layout) -> None:
    """Create keys, indexes, view and trigger, and let the sequences go on after the loaded ids."""
    await connection.execute(render(layout, f"{layout.shape}.keys.sql"))
    cursor = await connection.execute(
        "select table_name, pg_get_serial_sequence(quote_ident(table_name), 'id') from information_schema.columns"
        " where table_schema = current_schema() and column_name = 'id' and table_name = any(%s) order by 1",
        [list(TABLES)],
    )
    for table, sequence in await cursor.fetchall():
        if sequence is not None:
            query = sql.SQL("select setval({}, coalesce(max(id), 0) + 1, false) from {}")
            await connection.execute(query.format(sql.Literal(sequence), sql.Identifier(table)))


async def columns(connection: psycopg.AsyncConnection, table: str) -> dict[str, str]:
    """Columns of ``table`` with their types, in order; empty when there is no such table."""
    cursor = await connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))"
        " and attnum > 0 and not attisdropped order by attnum",
        [table],
    )
    return {str(name): str(kind) for name, kind in await cursor.fetchall()}


async def _scalar(connection: psycopg.AsyncConnection, query: sql.SQL | str) -> object:
    row = await (await connection.execute(query)).fetchone()
    return row[0] if row else None
