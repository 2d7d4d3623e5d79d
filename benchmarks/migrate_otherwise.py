"""The other ways to move the rows of a migration, to compare with: a raw binary COPY, and a row at a time.

The raw COPY is given what the copy had to find out: the final rows, laid out in the source database
before anything is timed.
"""

import time
from collections.abc import Callable
from hashlib import sha256

import psycopg
from psycopg import sql

BLOCK_BYTES = 1 << 17
TABLES = {
    "users": "length(id), id",
    "identities": "length(user_id), user_id, kind, name",
    "accounts": "length(account_id), account_id",
    "transactions": "source_table, length(source_id), source_id",
    "grants": "length(account_id), account_id, grant_id",
    "payments": "length(source_id), source_id",
}
"""What a copy writes, and the order in which a source that knows the final rows would hold them."""


def lay_out(source: str, target: str) -> None:
    """Put the rows that the copy wrote into the source database, in the source's order."""
    with psycopg.connect(target) as reading, psycopg.connect(source) as writing:
        writing.execute("drop schema if exists final cascade; create schema final")
        for table, order in TABLES.items():
            name = sql.Identifier(table)
            columns = _columns(reading, table)
            writing.execute(sql.SQL("create table final.{} ({})").format(name, sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(type_name)) for column, type_name in columns
            )))  # fmt: skip
            _stream(
                reading, writing,
                sql.SQL("copy (select * from heller.{} order by {}) to stdout (format binary)").format(name, sql.SQL(order)),
                sql.SQL("copy final.{} from stdin (format binary)").format(name),
            )  # fmt: skip
    with psycopg.connect(source, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(sql.SQL("vacuum (analyze) final.{}").format(sql.Identifier(table)))


def pipe(source: str, target: str, *, keys_after: bool, cpu: Callable[[], float]) -> tuple[float, float]:
    """Seconds, and seconds by ``cpu``, of a raw binary COPY of the laid out rows into the tables of ``target``.

    One transaction a table. Both are read while the sessions are open: a session that ends takes its CPU time along.
    """
    with (
        psycopg.connect(source, autocommit=True) as reading,
        psycopg.connect(target, autocommit=True) as writing,
    ):
        keys = _drop_keys(writing) if keys_after else []
        writing.execute("set maintenance_work_mem = '256MB'")
        started, cpu_before = time.monotonic(), cpu()
        for table in TABLES:
            name = sql.Identifier(table)
            _stream(
                reading, writing,
                sql.SQL("copy (select * from final.{}) to stdout (format binary)").format(name),
                sql.SQL("copy heller.{} from stdin (format binary)").format(name),
            )  # fmt: skip
        for statement in keys:
            writing.execute(statement)
        return round(time.monotonic() - started, 3), round(cpu() - cpu_before, 3)


def _stream(
    reading: psycopg.Connection, writing: psycopg.Connection, read: sql.Composed, write: sql.Composed
) -> None:
    """Pass the data on in blocks: a write for each row would measure Python instead."""
    block: list[bytes] = []
    size = 0
    with (
        reading.cursor() as one,
        writing.cursor() as other,
        one.copy(read) as rows,
        other.copy(write) as copy,
    ):
        for row in rows:
            block.append(bytes(row))
            size += len(row)
            if size > BLOCK_BYTES:
                copy.write(b"".join(block))
                block, size = [], 0
        copy.write(b"".join(block))


def _drop_keys(connection: psycopg.Connection) -> list[sql.SQL]:
    """Drop the keys and indexes of the tables; answers the statements that build them again."""
    cursor = connection.execute(
        """
        select format('alter table %%s add constraint %%I %%s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)),
               format('alter table %%s drop constraint %%I', c.conrelid::regclass, c.conname)
        from pg_constraint c where c.contype in ('p', 'u') and c.conrelid = any(%(tables)s::regclass[])
        union all
        select pg_get_indexdef(i.indexrelid), format('drop index %%s', i.indexrelid::regclass)
        from pg_index i where i.indrelid = any(%(tables)s::regclass[])
          and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
        """,
        {"tables": [f"heller.{table}" for table in TABLES]},
    )
    statements = cursor.fetchall()
    for _, drop in statements:
        connection.execute(sql.SQL(drop))
    return [sql.SQL(build_again) for build_again, _ in statements]


def _columns(connection: psycopg.Connection, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        [f"heller.{table}"],
    ).fetchall()


async def row_by_row(source: str, target: str, *, rows: int) -> float:
    """Rows a second of the way the original plan describes: a SELECT for each user, an INSERT for each row."""
    done = 0
    async with (
        await psycopg.AsyncConnection.connect(source, autocommit=True) as reading,
        await psycopg.AsyncConnection.connect(target, autocommit=True) as writing,
    ):
        # The legacy tables have no index for this SELECT; it gets one, so that the INSERT is what is measured.
        await reading.execute("create index if not exists by_hand on credit_transactions (user_id)")
        users = await (
            await reading.execute("select id, credits_balance from users order by id limit %s", [rows])
        ).fetchall()
        started = time.monotonic()
        for user, _ in users:
            done += await _one_user(reading, writing, str(user))
            if done >= rows:
                break
        seconds = time.monotonic() - started
        await reading.execute("drop index by_hand")
    return round(done / seconds, 1)


async def _one_user(reading: psycopg.AsyncConnection, writing: psycopg.AsyncConnection, user: str) -> int:
    cursor = await reading.execute(
        "select id, delta_credits, reason, created_at from credit_transactions where user_id = %s order by created_at, id",
        [user],
    )
    balance = seq = 0
    before = b""
    for row, delta, reason, at in await cursor.fetchall():
        if delta == 0:
            continue
        seq, balance = seq + 1, balance + delta
        before = sha256(before + f"{user}:{row}:{delta}:{balance}".encode()).digest()
        await writing.execute(
            "insert into heller.transactions (account_id, unit, seq, delta, balance_after, kind, reason, effective_at,"
            " recorded_at, source_system, source_table, source_id, hash)"
            " values (%s, 'credit', %s, %s, %s, 'adjust', %s, %s, now(), 'legacy', 'credit_transactions', %s, %s)",
            [user, seq, delta, balance, reason, at, str(row), before],
        )
    return seq
