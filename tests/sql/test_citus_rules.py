"""What Citus cannot do on a distributed table, the schema does not have; seen in the catalogue of a plain PostgreSQL."""

import re
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from heller import schema
from heller.citus import AT_COORDINATOR, REFERENCE, SHARD_KEY, SHARDED
from heller.database import translating
from heller.errors import DatabaseError, LimitExceeded
from heller.ledger.spread import AT_COORDINATOR as VERBS_AT_COORDINATOR

UNIQUE = """
select c.relname, i.relname, x.indisprimary,
       array(select a.attname::text from unnest(x.indkey::int2[]) with ordinality k (number, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number order by k.place)
from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
where c.relnamespace = 'heller'::regnamespace and c.relkind = 'r' and x.indisunique
"""
FOREIGN = """
select c.conname, s.relname, t.relname,
       array(select a.attname::text from unnest(c.conkey) k (number) join pg_attribute a on a.attrelid = s.oid and a.attnum = k.number)
from pg_constraint c join pg_class s on s.oid = c.conrelid join pg_class t on t.oid = c.confrelid
where c.contype = 'f' and s.relnamespace = 'heller'::regnamespace
"""
NUMBERED = """
select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'heller'::regnamespace and c.relkind = 'r'
  and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) like '%nextval%')
"""
KEYS = """
select c.relname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation::text, a.attnotnull
from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.relnamespace = 'heller'::regnamespace and c.relkind = 'r' and a.attname = 'account_id'
"""
TRIGGERS = """
select c.relname, t.tgname, p.proname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
where c.relnamespace = 'heller'::regnamespace and not t.tgisinternal
"""

FUNCTIONS = """
select p.proname, p.prosrc, p.provolatile <> 'i', p.proname !~ '^_' and coalesce(p.proargnames[1] = 'p_account_id', false)
from pg_proc p where p.pronamespace = 'heller'::regnamespace and p.prokind = 'f'
"""
TABLES = "select relname from pg_class where relnamespace = 'heller'::regnamespace and relkind = 'r'"
BEFORE_CLUSTERS = 9  # the last migration of the first release, applied before a ledger is spread
SPREAD: LiteralString = (
    "create or replace function heller._is_spread() returns boolean language sql immutable as 'select true'"
)
MADE_FOR_ONE_SERVER: tuple[LiteralString, ...] = (
    "select heller.claim_homes('legacy')",
    "select heller.activate_homes('[{}]')",
    "select heller.refuse_homes('[{}]')",
    "select heller.seal_homes(array['1'])",
    "select heller.confirm_returns('[{}]')",
)
CLOCKS = r"_clock\(\)|clock_timestamp\(\)|\bnow\(\)|random\(\)"


@pytest.fixture
async def rows(heller_database: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(heller_database) as connection:

        async def read(query: LiteralString) -> list[Any]:
            return await (await connection.execute(query)).fetchall()

        yield read


async def test_every_table_whose_key_begins_with_the_account_is_sharded(rows: Any) -> None:
    found = {
        table for table, _, primary, columns in await rows(UNIQUE) if primary and columns[0] == SHARD_KEY
    }
    assert found == set(SHARDED)


async def test_every_unique_key_of_a_sharded_table_contains_the_account(rows: Any) -> None:
    keys = [(index, columns) for table, index, _, columns in await rows(UNIQUE) if table in SHARDED]
    assert len(keys) >= len(SHARDED)
    assert [index for index, columns in keys if SHARD_KEY not in columns] == []


async def test_sharded_tables_can_lie_together(rows: Any) -> None:
    kinds = {
        (kind, collation, not_null)
        for table, kind, collation, not_null in await rows(KEYS)
        if table in SHARDED
    }
    assert kinds == {("text", '"C"', True)}


async def test_foreign_keys_stay_on_one_server(rows: Any) -> None:
    def is_local(source: str, target: str, columns: list[str]) -> bool:
        return (
            target in REFERENCE
            or (source in SHARDED and target in SHARDED and SHARD_KEY in columns)
            or not {source, target} & {*SHARDED, *REFERENCE}
        )

    assert [name for name, *key in await rows(FOREIGN) if not is_local(*key)] == []


async def test_no_sequence_numbers_the_rows_of_a_sharded_table(rows: Any) -> None:
    assert [row for row in await rows(NUMBERED) if row[0] in {*SHARDED, *REFERENCE}] == []


async def test_triggers_on_sharded_tables_only_refuse(rows: Any) -> None:
    functions = {function for table, _, function in await rows(TRIGGERS) if table in SHARDED}
    assert functions == {"_append_only"}


async def test_reference_tables_are_there(rows: Any) -> None:
    assert set(REFERENCE) <= {table for table, *_ in await rows(UNIQUE)}


async def test_functions_that_go_to_the_account_find_all_they_need_there(rows: Any) -> None:
    sources = {name: source for name, source, *_ in await rows(FUNCTIONS)}
    elsewhere = {table for (table,) in await rows(TABLES)} - {*SHARDED, *REFERENCE}

    def named(function: str, seen: set[str]) -> set[str]:
        found = set(re.findall(r"heller\.(\w+)", sources[function])) - seen
        seen |= found
        for name in found & sources.keys():
            named(name, seen)
        return seen

    sent = {name for name, _, _, is_of_account in await rows(FUNCTIONS) if is_of_account} - {*AT_COORDINATOR}
    assert {"spend", "hold", "apply_at", "balance"} <= sent
    # _apply_one names every verb; the library gives those of the coordinator to nobody else
    reached = {name: named(name, {"reverse"}) & elsewhere for name in sent}
    assert {name: tables for name, tables in reached.items() if tables} == {}
    assert {*AT_COORDINATOR} >= VERBS_AT_COORDINATOR


async def test_no_update_of_a_sharded_table_reads_a_clock(rows: Any) -> None:
    updates = [
        (name, statement)
        for name, source, *_ in await rows(FUNCTIONS)
        for pattern in (r"update heller\.(\w+)([^;]*)", r"insert into heller\.(\w+)[^;]*do update set([^;]*)")
        for table, statement in re.findall(pattern, source)
        if table in {*SHARDED, *REFERENCE}
    ]
    assert len(updates) > 40
    assert [name for name, statement in updates if re.search(CLOCKS, statement)] == []


async def test_no_lateral_join_of_the_coordinators_rows_with_those_of_shards(rows: Any) -> None:
    """Each table of the coordinator is carried to the shards whole, or what was added up there comes here."""
    elsewhere = {table for (table,) in await rows(TABLES)} - {*SHARDED, *REFERENCE}
    joined = [
        name
        for name, source, *_ in await rows(FUNCTIONS)
        for statement in source.split(";")
        for outside, lateral in re.findall(r"from heller\.(\w+) \w+\s[^;]*?join lateral \(([^;]*)", statement)
        if outside in elsewhere and set(re.findall(r"heller\.(\w+)", lateral)) & set(SHARDED)
    ]
    assert joined == []


async def test_a_look_into_all_shards_asks_for_a_column(rows: Any) -> None:
    """Its answer is carried to the coordinator as rows, and rows of no column are not: ``exists (select 1 from ...)``."""
    later = [(file.path, file.text) for file in schema.files("migrations") if file.number > BEFORE_CLUSTERS]
    looks = [
        (name, condition)
        for name, source, *_ in [*await rows(FUNCTIONS), *later]
        for table, condition in re.findall(r"exists \(\s*select from heller\.(\w+)([^;]*)", source)
        if table in SHARDED
    ]
    assert len(looks) > 10
    assert [name for name, condition in looks if "account_id = " not in condition.split(")")[0]] == []


async def test_a_question_to_all_shards_has_no_ties_and_filters_by_no_rows_of_a_function(rows: Any) -> None:
    """The first rows with ties come without some of them; ``exists (select from f(row))`` is refused: a scalar function is not."""
    asked = [
        (name, statement)
        for name, source, *_ in await rows(FUNCTIONS)
        for statement in source.split(";")
        if set(re.findall(r"(?:from|join) heller\.(\w+)", statement)) & set(SHARDED)
    ]
    assert len(asked) > 100
    wrong = r"with ties|exists \(\s*select[^()]* from heller\.\w+\("
    assert [name for name, statement in asked if re.search(wrong, statement)] == []


def test_a_migration_is_sent_statement_by_statement() -> None:
    """Citus sends the text of a change of a table on to the shards, and takes one statement at a time."""
    file = schema.File(
        "migrations/0099_x.sql",
        "-- one; two\ncreate table a (b text default 'it''s; $$');\n\n"
        'do $x$ begin perform 1; perform $$;$$; end $x$;\ncomment on column a."c;d" is $$;$$;\n-- the end;\n',
    )
    assert [statement.split()[-1] for statement in file.statements] == ["$$');", "$x$;", "$$;$$;"]
    for migration in schema.files("migrations"):
        assert "".join(migration.statements).strip() == migration.text.strip()


async def test_no_row_of_a_shard_is_given_to_a_function_as_a_whole(rows: Any) -> None:
    """A shard's row type is not the table's: ``f(row(a.*)::heller.accounts)`` goes, ``f(a)`` does not."""
    whole = [
        (name, alias)
        for name, source, *_ in await rows(FUNCTIONS)
        for statement in re.split(r";|\bthen\b", source)
        for table, alias in re.findall(
            r"(?:from|join) heller\.(\w+) (?!where|on|using|order|for)(\w)\b", statement
        )
        if table in SHARDED and re.search(rf"heller\._\w+\((?:\w+, )*{alias}[,)]", statement)
    ]
    assert whole == []


async def test_what_has_ended_is_asked_of_every_server(rows: Any) -> None:
    """Each gives out transaction ids for itself; a snapshot is of the server it is taken on."""
    ids = r"pg_(current_)?snapshot(_xm..)?\(|pg_current_xact_id|txid_|\bxmin\b"
    asking = {name for name, source, *_ in await rows(FUNCTIONS) if re.search(ids, source)}
    assert asking == {"_snapshots", "_horizon"}


async def test_the_horizon_is_that_of_the_server_that_is_furthest_behind(heller_database: str) -> None:
    async with await psycopg.AsyncConnection.connect(heller_database, autocommit=True) as connection:

        async def horizon(*said: str) -> Any:
            """After each server has said what has ended there, and what time it is: seconds after midnight."""
            rows = ", ".join(
                f"({server}, '{snapshot}', timestamptz '2026-01-01 00:00Z' + interval '{seconds} s')"
                for server, (snapshot, seconds) in enumerate(one.split() for one in said)
            )
            await connection.execute(
                sql.SQL(
                    "create or replace function heller._snapshots() returns table (server integer, snapshot pg_snapshot, at timestamptz)"
                    f" language sql as $$ select s, x::pg_snapshot, t from (values {rows}) v (s, x, t) $$"
                )
            )
            row = await (await connection.execute("select extract(second from heller._horizon())")).fetchone()
            assert row
            return row[0]

        assert await horizon("10:10: 11", "5:9:5,7 11") is None
        assert await horizon("10:10: 12", "5:9:5,7 12") is None  # 5 may have recorded something at any time
        assert await horizon("20:20: 13", "9:12: 13") == 11  # what is open there now began after 12
        assert await horizon("20:20: 14", "9:12: 14") == 11
        assert await horizon("20:20: 15", "12:12: 15") == 13
        assert await horizon("20:20: 16", "12:12: 16", "3:3: 16") is None  # one came to the cluster


async def test_what_is_made_for_one_server_is_refused_on_a_cluster(heller_database: str) -> None:
    async with await psycopg.AsyncConnection.connect(heller_database) as connection:
        await connection.execute(SPREAD)
        await connection.commit()
        for statement in MADE_FOR_ONE_SERVER:
            with (
                pytest.raises(LimitExceeded, match="before heller schema apply --citus") as raised,
                translating(),
            ):
                await connection.execute(statement)
            assert raised.value.limit == "cluster"
            await connection.rollback()


@pytest.mark.one_server("a cluster has the extension")
async def test_without_the_extension_the_error_says_what_to_install(empty_database: str) -> None:
    with pytest.raises(DatabaseError, match="no extension citus") as raised:
        await schema.apply(empty_database, citus=True)
    assert "Install Citus" in raised.value.hint
    assert await schema.verify(empty_database) == []
