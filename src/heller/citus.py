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
    "recurring_grants",
    "statements",
    "top_up_attempts",
    "top_up_rules",
    "transactions",
)
# Small, read on every server, the same everywhere.
REFERENCE = ("identities", "prices", "users")
# Done on the coordinator, though they are of one account: they touch another account, a table that is only there, or one
# that is on every server.
AT_COORDINATOR = (
    "credit_purchase",
    "open_account",
    "payments_of",
    "reverse",
    "stripe_adjust",
    "stripe_begin_top_up",
    "stripe_erase",
    "stripe_leave",
    "stripe_orders",
    "stripe_owe",
    "stripe_payments",
    "transfer",
)
# Shown by views. On one server a view reads with its owner's rights; the servers of a cluster ask who is reading.
SHOWN = ("accounts", "grants", "holds", "identities", "transactions")

_SETTINGS = (
    "set local citus.multi_shard_modify_mode = sequential",  # or a function cannot follow a table
    "set local citus.propagate_set_commands = local",
    "set local check_function_bodies = off",  # on the workers as well: functions may name later ones
    "set local citus.enable_unsafe_triggers = on",  # ours only refuse; they touch no other row
)
_IS_THERE = "select 1 from pg_available_extensions where name = 'citus'"
_HAS_METADATA = "select to_regclass('pg_catalog.pg_dist_partition') is not null"
_IS_SPREAD = "select 1 from pg_dist_partition where logicalrelid = to_regclass('heller.accounts')"
_DISTRIBUTED = "select logicalrelid::text from pg_dist_partition"
# A function of a table that only the coordinator has stays there.
_FUNCTIONS = """
select p.oid::regprocedure::text, p.proname, p.proname !~ '^_' and p.proargnames[1] = 'p_account_id',
       'plan_cache_mode=force_generic_plan' = any (p.proconfig), p.provolatile <> 'i' and p.prosrc ~ 'heller[.]'
from pg_proc p where p.pronamespace = 'heller'::regnamespace and p.prokind in ('f', 'a')
  and not exists (select from pg_depend d join pg_type t on t.oid = d.refobjid
                  where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.refclassid = 'pg_type'::regclass
                    and t.typrelid <> 0 and t.typrelid not in (select logicalrelid from pg_dist_partition))
order by p.prokind = 'a', 1
"""
_HAS_ROLE = "select 1 from pg_roles where rolname = 'heller_app'"
_SHOW = sql.SQL("grant select on {} to heller_app").format(
    sql.SQL(", ").join(sql.Identifier("heller", table) for table in SHOWN)
)
_REPLACED = """
create or replace function heller._is_spread() returns boolean language sql immutable parallel safe
set search_path = pg_catalog as $$ select true $$;
create or replace function heller._shard_of(p_account_id text) returns bigint language sql stable parallel safe
set search_path = pg_catalog as $$ select get_shard_id_for_distribution_column('heller.accounts', p_account_id) $$;
create or replace function heller._snapshots() returns table (server integer, snapshot pg_snapshot, at timestamptz) language plpgsql
set search_path = pg_catalog as $$
declare
  v_began timestamptz := clock_timestamp();
  v_first timestamptz := least(heller._clock(), case when current_setting('transaction_isolation') <> 'read committed' then now() end);
  v_here pg_snapshot := pg_current_snapshot();
  v_answers jsonb;
begin
  select jsonb_agg(jsonb_build_object('server', n.groupid, 'ok', r.success, 'said', case when r.success then r.result::jsonb end)) into v_answers
  from run_command_on_workers('select jsonb_build_object($x$snapshot$x$, pg_current_snapshot(), $x$at$x$, heller._clock())') r
  join pg_dist_node n on n.nodename = r.nodename and n.nodeport = r.nodeport;
  if exists (select from jsonb_array_elements(v_answers) a where not (a ->> 'ok')::boolean) then
    raise exception 'a server of the cluster does not answer' using errcode = '08006';
  end if;
  -- a verb may read the clock of any server, and each was read at its own moment of this round
  select least(v_first, min((a #>> '{said,at}')::timestamptz)) - (clock_timestamp() - v_began) into at
  from jsonb_array_elements(v_answers) a;
  return query select 0, v_here, at union all
    select (a ->> 'server')::integer, (a #>> '{said,snapshot}')::pg_snapshot, at from jsonb_array_elements(v_answers) a;
end $$;
"""


async def is_spread(connection: AsyncConnection) -> bool:
    """Whether the schema heller of this database lies on a Citus cluster."""
    for query in (_HAS_METADATA, _IS_SPREAD):
        row = await (await connection.execute(query)).fetchone()
        if row is None or not row[0]:
            return False
    return True


async def prepare(connection: AsyncConnection) -> None:
    """Set what a transaction that changes the schema of a cluster needs, for that transaction."""
    for setting in _SETTINGS:
        await connection.execute(setting)


async def hold_still(connection: AsyncConnection) -> None:
    """Let nobody write to the accounts of a cluster until the transaction ends: its servers share no snapshot."""
    await connection.execute("lock table heller.accounts in exclusive mode")  # what each verb locks first
    others = (*SHARDED[1:], *REFERENCE)
    tables = sql.SQL(", ").join(sql.Identifier("heller", table) for table in others)
    await connection.execute(sql.SQL("lock table {} in share mode").format(tables))


async def distribute(connection: AsyncConnection) -> None:
    """Spread the tables and functions of the schema heller over the servers, in the caller's transaction.

    Run again, it does what is new. The schema must be applied; the servers must have been added to the cluster.

    Raises:
        DatabaseError: the server has no extension citus.
    """
    if await (await connection.execute(_IS_THERE)).fetchone() is None:
        raise DatabaseError(
            "This PostgreSQL has no extension citus.",
            hint="Install Citus on every server (https://docs.citusdata.com), or leave --citus away: one server needs none.",
        )
    await connection.execute("create extension if not exists citus")
    await prepare(connection)
    await _spread_tables(connection)
    for function, name, is_of_account, has_fixed_plan, reads in await (
        await connection.execute(_FUNCTIONS)
    ).fetchall():
        altered = sql.SQL("alter function {} ").format(sql.SQL(function))
        if has_fixed_plan:  # Citus plans with the values: they say which shard it is
            await connection.execute(altered + sql.SQL("reset plan_cache_mode"))
        if reads:  # called for a row of a shard, it reads the account's other rows: in the shards beside it
            await connection.execute(altered + sql.SQL("set citus.allow_nested_distributed_execution = on"))
        where = ", 'p_account_id', colocate_with => 'heller.accounts'"
        await connection.execute(
            sql.SQL(
                "select create_distributed_function({}"
                + (where if is_of_account and name not in AT_COORDINATOR else "")
                + ")"
            ).format(sql.Literal(function))
        )
    if await (await connection.execute(_HAS_ROLE)).fetchone():
        await connection.execute(_SHOW)
    await connection.execute(_REPLACED)  # after the others: Citus then sets check_function_bodies back


async def _spread_tables(connection: AsyncConnection) -> None:
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
