"""What a legacy database looks like to the handover: its tables by part, their columns with all that writing needs.

Found in the catalogue by the same recognition, or the same mapping file, as the copy uses; nothing is assumed.
"""

from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection, sql

from heller.errors import SourceError
from heller.migration.catalogue import Catalogue, Table, read_catalogue
from heller.migration.mapping import mapping_text, parse_mapping
from heller.migration.shapes import Mapping, TableMapping, recognise
from heller.migration.source import OWN_SCHEMAS

FENCE = "heller_fence"
BESIDE = ("events", "admin_actions")
GUARDED = ("users", "transactions", "ledger", "payments")

_COLUMNS = """
select a.attname,
       case when n.nspname = 'pg_catalog' then format_type(a.atttypid, a.atttypmod) else quote_ident(n.nspname) || '.' || quote_ident(t.typname) end,
       coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text, a.attnotnull,
       a.atthasdef or a.attidentity <> '', a.attgenerated <> '' or a.attidentity = 'a',
       array(select e.enumlabel::text from pg_enum e where e.enumtypid = a.atttypid order by e.enumsortorder),
       case when a.atttypmod > 4 and t.typname = 'varchar' then a.atttypmod - 4 end,
       (select quote_ident(cn.nspname) || '.' || quote_ident(c.collname)
        from pg_collation c join pg_namespace cn on cn.oid = c.collnamespace where c.oid = a.attcollation)
from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace n on n.oid = t.typnamespace
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column as a writer must know it; ``type`` has its length or decimals, ``labels`` are those of an enumeration, ``length`` a varchar's."""

    name: str
    type: str
    base: str
    not_null: bool
    has_default: bool
    is_generated: bool
    labels: tuple[str, ...]
    length: int | None
    collation: str | None

    @property
    def is_json(self) -> bool:
        """Json or jsonb."""
        return self.base in {"json", "jsonb"}

    @property
    def is_text(self) -> bool:
        """Text or varchar."""
        return self.base in {"text", "character varying", "character"}


@dataclass(frozen=True, slots=True)
class Part:
    """One source table: what it means and how its columns are written."""

    number: int
    mapping: TableMapping
    table: Table
    columns: dict[str, Column]

    @property
    def name(self) -> str:
        """users, transactions, ledger, payments or events."""
        return self.mapping.part

    @property
    def label(self) -> str:
        """The table's name in provenance."""
        return self.mapping.label

    @property
    def identifier(self) -> sql.Identifier:
        """The table, quoted."""
        return sql.Identifier(self.table.schema, self.table.name)

    def has(self, field: str) -> bool:
        """True when a column gives that canonical field."""
        return field in self.mapping.columns

    def column(self, field: str) -> Column:
        """The column of a canonical field."""
        return self.columns[self.mapping.columns[field]]

    def quoted(self, field: str) -> sql.Identifier:
        """The column of a canonical field, quoted."""
        return sql.Identifier(self.mapping.columns[field])

    def typed(self, field: str, text: sql.Composable) -> sql.Composed:
        """A text expression as the column's type; null where it cannot be one (an e-mail for an integer)."""
        column = self.column(field)
        if column.base in {"integer", "bigint", "smallint"}:
            digits = 18 if column.base == "bigint" else 9
            shape = f"^-?[0-9]{{1,{4 if column.base == 'smallint' else digits}}}$"
        elif column.base == "uuid":
            shape = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
        elif column.is_text:
            if column.collation is None:
                return sql.SQL("({})").format(text)
            # without the column's own collation no index of the column can serve
            return sql.SQL("({} collate {})").format(text, sql.SQL(column.collation))
        else:
            raise SourceError(
                f"{self.label}.{column.name} is of type {column.type}; ids are integers, text or uuid."
            )
        return sql.SQL("(case when {t} ~ {shape} then ({t})::{type} end)").format(
            t=text,
            shape=sql.Literal(shape),
            type=sql.SQL(column.base),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """A legacy database: its mapping, its guarded tables, and which column is the truth about a balance."""

    mapping: Mapping
    catalogue: Catalogue
    truth: str
    users: Part
    histories: tuple[Part, ...]
    payments: tuple[Part, ...]
    events: tuple[Part, ...]
    admin: Part | None = None
    mapping_text: str | None = None

    @property
    def system(self) -> str:
        """The name of the source in provenance."""
        return self.mapping.system

    @property
    def guarded(self) -> tuple[Part, ...]:
        """Every table that the fence guards."""
        return (self.users, *self.histories, *self.payments)

    @property
    def rows(self) -> tuple[Part, ...]:
        """The tables whose rows belong to users: histories and payments."""
        return (*self.histories, *self.payments)

    @property
    def main_history(self) -> Part | None:
        """Where returned transactions are written: the history that is the truth, else credit_transactions, else the ledger."""
        return next(
            (part for part in self.histories if part.name == self.truth),
            self.histories[0] if self.histories else None,
        )


async def read_layout(
    connection: AsyncConnection, *, mapping: Path | None = None, truth: str = "balance"
) -> Layout:
    """Recognise the legacy database behind ``connection``.

    Raises:
        SourceError: it is none, or has no column that says what a user owns.
        MappingError: the mapping file is wrong, with the place.
    """
    catalogue = await read_catalogue(
        connection, without=(*OWN_SCHEMAS, FENCE), with_time_zones=mapping is not None
    )  # those of a mapping that the fence keeps were checked when it was built
    text = mapping_text(mapping) if mapping else await _kept_mapping(connection)
    place = str(mapping or "heller_fence.settings")
    understood = recognise(catalogue) if text is None else parse_mapping(text, catalogue, place=place)
    parts: dict[str, list[Part]] = {}
    for number, item in enumerate(understood.tables, start=1):
        table = catalogue.find(item.schema, item.table)
        if table is None or item.part not in {*GUARDED, *BESIDE}:
            continue
        if item.part in GUARDED and table.kind != "r":
            raise SourceError(
                f"{table.label} is not an ordinary table; a fence needs a trigger on each row.",
                hint="Name the underlying table in the mapping, or move everybody at once with migrate run.",
            )
        if item.part in GUARDED and (
            "id" not in item.columns or (item.part != "users" and "user_ref" not in item.columns)
        ):
            raise SourceError(f"{table.label} needs columns for id and user to be guarded.")
        part = Part(number, item, table, await _columns(connection, table))
        parts.setdefault(item.part, []).append(part)
    users = parts["users"][0]
    if users.has("balance") and users.column("balance").is_generated:
        raise SourceError(
            f"{users.label}.{users.column('balance').name} is a generated column; nothing can be written into it when a user comes home.",
            hint="Make it an ordinary column that a trigger fills: the how-to guide 'Your own legacy schema' shows one.",
        )
    if truth == "balance" and not users.has("balance"):
        truth = "transactions" if parts.get("transactions") else "ledger"
    return Layout(
        understood, catalogue, truth, users,
        (*parts.get("transactions", ()), *parts.get("ledger", ())),
        tuple(parts.get("payments", ())), tuple(parts.get("events", ())),
        next(iter(parts.get("admin_actions", ())), None), text,
    )  # fmt: skip


async def _kept_mapping(connection: AsyncConnection) -> str | None:
    """The mapping that the fence was built by, so that the worker and every command go by the same one."""
    row = await (
        await connection.execute("select to_regclass(%s) is not null", [f"{FENCE}.settings"])
    ).fetchone()
    if not (row and row[0]):
        return None
    row = await (
        await connection.execute("select to_jsonb(s) ->> 'mapping' from heller_fence.settings s")
    ).fetchone()
    return None if row is None else row[0]


async def _columns(connection: AsyncConnection, table: Table) -> dict[str, Column]:
    name = sql.Identifier(table.schema, table.name).as_string(connection)
    rows = await (await connection.execute(_COLUMNS, [name])).fetchall()
    return {
        name: Column(name, kind, base, not_null, has_default, is_generated, tuple(labels), length, collation)
        for name, kind, base, not_null, has_default, is_generated, labels, length, collation in rows
    }
