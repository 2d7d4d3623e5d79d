"""What a database says about itself: tables, columns, keys and triggers, read from ``pg_catalog``.

Nothing here knows about credits. Only tables the role may read are listed as readable.
"""

from dataclasses import dataclass, field

from psycopg import AsyncConnection

_TABLES = """
select n.nspname, c.relname, c.relkind::text, c.reltuples::bigint, has_table_privilege(c.oid, 'select'),
       row_security_active(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any(%(schemas)s) and not c.relispartition
order by n.nspname, c.relname
"""

_COLUMNS = """
select n.nspname, c.relname, a.attname,
       case when t.typtype = 'e' then 'enum' else format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) end
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname = any(%(schemas)s) and not c.relispartition
order by n.nspname, c.relname, a.attnum
"""

# An index over some of the rows, one that could not be built, and one of a table whose heirs have rows of their own: none
# of them says that a column is unique.
_UNIQUE = """
select n.nspname, c.relname,
       array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(attnum, pos)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
             where k.pos <= i.indnkeyatts order by k.pos)
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where i.indisunique and i.indisvalid and i.indexprs is null and i.indpred is null and n.nspname = any(%(schemas)s)
  and (c.relkind = 'p' or not exists (select from pg_inherits h where h.inhparent = c.oid))
order by 1, 2, 3
"""

_FOREIGN = """
select n.nspname, c.relname, a.attname, fn.nspname, fc.relname, fa.attname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_class fc on fc.oid = k.confrelid
join pg_namespace fn on fn.oid = fc.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
join pg_attribute fa on fa.attrelid = fc.oid and fa.attnum = k.confkey[1]
where k.contype = 'f' and cardinality(k.conkey) = 1 and k.convalidated and n.nspname = any(%(schemas)s)
  and (c.relkind = 'p' or not exists (select from pg_inherits h where h.inhparent = c.oid))  -- heirs inherit no foreign key
order by 1, 2, 3
"""

_TRIGGERS = """
select n.nspname, c.relname, g.tgname, p.prosrc
from pg_trigger g
join pg_class c on c.oid = g.tgrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_proc p on p.oid = g.tgfoid
where not g.tgisinternal and g.tgenabled <> 'D' and n.nspname = any(%(schemas)s)
order by 1, 2, 3
"""

_TIME_ZONE = "select reset_val from pg_settings where name = 'TimeZone'"
_TIME_ZONES = "select name from pg_timezone_names where name !~ '^(posix|right)' and name not in ('localtime', 'Factory')"

_SCHEMAS = """
select nspname from pg_namespace
where nspname !~ '^pg_' and nspname <> 'information_schema' and nspname <> all(%(without)s)
  and has_schema_privilege(oid, 'usage')
order by nspname <> 'public', nspname
"""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A validated one-column foreign key: ``column`` can only hold values of ``table.target``."""

    column: str
    schema: str
    table: str
    target: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view; ``columns`` maps a name to its base type, 'enum' for any enumeration.

    ``filtered``: row-level security shows the role only some of the rows.
    """

    schema: str
    name: str
    kind: str
    rows_estimate: int
    readable: bool
    columns: dict[str, str] = field(default_factory=dict)
    unique: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    triggers: dict[str, str] = field(default_factory=dict)
    filtered: bool = False

    @property
    def label(self) -> str:
        """``schema.table``, as people write it."""
        return f"{self.schema}.{self.name}"

    @property
    def refusal(self) -> tuple[str, str] | None:
        """Why the role cannot read all of it, and what helps; None where it can."""
        if not self.readable:
            return (
                f"the role may not read {self.label}",
                f"grant select on {self.label} to the role, or use another one.",
            )
        if self.filtered:
            return (
                f"row-level security hides rows of {self.label} from the role",
                "Use a role with BYPASSRLS, or the owner where the table does not force its policies on it.",
            )
        return None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables of the schemas read, with the server's version, encoding and time zone.

    ``time_zones`` are those it knows, None where they were not asked for: the server reads six hundred files for them.
    """

    tables: tuple[Table, ...]
    server_version: int
    encoding: str
    time_zones: frozenset[str] | None = None
    time_zone: str = "UTC"

    def find(self, schema: str, name: str) -> Table | None:
        """The table of that exact name, or None."""
        return next((table for table in self.tables if (table.schema, table.name) == (schema, name)), None)


async def read_catalogue(
    connection: AsyncConnection,
    *,
    schemas: list[str] | None = None,
    without: tuple[str, ...] = (),
    with_time_zones: bool = False,
) -> Catalogue:
    """Read the catalogue of ``schemas``, or of every schema the role may use except ``without``."""
    if schemas is None:
        rows = await (await connection.execute(_SCHEMAS, {"without": list(without)})).fetchall()
        schemas = [row[0] for row in rows]
    names = {"schemas": schemas}
    tables: dict[tuple[str, str], Table] = {}
    for schema, name, kind, estimate, readable, filtered in await (
        await connection.execute(_TABLES, names)
    ).fetchall():
        tables[schema, name] = Table(schema, name, kind, max(estimate, 0), readable, filtered=filtered)
    for schema, name, column, type_name in await (await connection.execute(_COLUMNS, names)).fetchall():
        tables[schema, name].columns[column] = type_name
    for schema, name, columns in await (await connection.execute(_UNIQUE, names)).fetchall():
        if (schema, name) in tables:
            tables[schema, name].unique.append(tuple(columns))
    for schema, name, *key in await (await connection.execute(_FOREIGN, names)).fetchall():
        if (schema, name) in tables:
            tables[schema, name].foreign_keys.append(ForeignKey(*key))
    for schema, name, trigger, body in await (await connection.execute(_TRIGGERS, names)).fetchall():
        if (schema, name) in tables:
            tables[schema, name].triggers[trigger] = body
    order = {schema: place for place, schema in enumerate(schemas)}
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"
    zone = await (await connection.execute(_TIME_ZONE)).fetchone()
    zones = await (await connection.execute(_TIME_ZONES)).fetchall() if with_time_zones else None
    return Catalogue(
        tuple(sorted(tables.values(), key=lambda table: (order[table.schema], table.name))),
        connection.info.server_version,
        encoding,
        None if zones is None else frozenset(row[0] for row in zones),
        zone[0] if zone else "UTC",
    )
