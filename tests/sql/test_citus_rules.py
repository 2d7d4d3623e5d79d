"""What Citus cannot do on a distributed table, the schema does not have; seen in the catalogue of a plain PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest

from heller import schema
from heller.citus import REFERENCE, SHARD_KEY, SHARDED
from heller.errors import DatabaseError

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


async def test_without_the_extension_the_error_says_what_to_install(empty_database: str) -> None:
    with pytest.raises(DatabaseError, match="no extension citus") as raised:
        await schema.apply(empty_database, citus=True)
    assert "Install Citus" in raised.value.hint
    assert await schema.verify(empty_database) == []
