"""The schema over several servers with Citus: tables sharded by account, verbs sent to the server that has it.

What each table is, is written here once; ``tests/sql/test_citus_rules.py`` holds the schema to the rules of Citus
and ``docs/decisions/0005-citus.md`` says why.
"""

from psycopg import AsyncConnection, sql

from heller.errors import DatabaseError

SHARD_KEY = "account_id"
# Rows of one account, all on the server that has the account.
SHARDED = (
    "accounts",
    "alerts",
    "draws",
    "grants",
    "holds",
    "homes",
    "member_spending",
    "member_spends",
    "members",
    "outcomes",
    "receipts",
    "statements",
    "top_up_attempts",
    "top_up_rules",
    "transactions",
)
# Small, read on every server, the same everywhere.
REFERENCE = ("identities", "prices", "users")

_TRIGGERS = "set citus.enable_unsafe_triggers = on"  # ours only refuse; they touch no other row
_IS_THERE = "select 1 from pg_available_extensions where name = 'citus'"
_DISTRIBUTED = "select logicalrelid::text from pg_dist_partition"
_FUNCTIONS = """
select p.oid::regprocedure::text, p.proname !~ '^_' and p.proargnames[1] = 'p_account_id'
from pg_proc p where p.pronamespace = 'heller'::regnamespace and p.prokind = 'f' order by 1
"""


async def distribute(connection: AsyncConnection) -> None:
    """Spread the tables and functions of the schema heller over the servers of a Citus cluster.

    Run again, it does what is new. The schema must be applied; the servers must have been added to the cluster.

    Raises:
        DatabaseError: the server has no extension citus.
    """
    if await (await connection.execute(_IS_THERE)).fetchone() is None:
        raise DatabaseError(
            "This PostgreSQL has no extension citus.",
            hint="Install Citus on every server (https://docs.citusdata.com), or leave --citus away: one server needs none.",
        )
    async with connection.transaction():
        await connection.execute("create extension if not exists citus")
        await connection.execute(_TRIGGERS)
        done = {row[0] for row in await (await connection.execute(_DISTRIBUTED)).fetchall()}
        for table in SHARDED:
            if f"heller.{table}" not in done:
                together = "none" if table == SHARDED[0] else f"heller.{SHARDED[0]}"
                await connection.execute(
                    "select create_distributed_table(%s, %s, colocate_with => %s)",
                    [f"heller.{table}", SHARD_KEY, together],
                )
        for table in REFERENCE:
            if f"heller.{table}" not in done:
                await connection.execute("select create_reference_table(%s)", [f"heller.{table}"])
        for function, is_of_account in await (await connection.execute(_FUNCTIONS)).fetchall():
            where = ", 'p_account_id', colocate_with => 'heller.accounts'" if is_of_account else ""
            await connection.execute(
                sql.SQL("select create_distributed_function({}" + where + ")").format(sql.Literal(function))
            )
