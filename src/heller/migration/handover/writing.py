"""Values for columns of a legacy table: what is written must fit its types, its lengths and what it requires."""

from psycopg import sql

from heller.migration.handover.layout import Column, Part


def cut(text: sql.Composable, column: Column) -> sql.Composed:
    """A text that fits the column, as its type."""
    if column.length:
        text = sql.SQL("left({}, {})").format(text, sql.Literal(column.length))
    return sql.SQL("({})::{}").format(text, sql.SQL(column.type))


def number(value: sql.Composable, part: Part, field: str) -> sql.Composed:
    """A whole number of ours as the column counts it. What it cannot hold exactly ends the statement: nothing is rounded."""
    column, scale = part.column(field), part.mapping.scale(field)
    ours = sql.SQL("({})::bigint").format(value)
    if scale == 1:
        return ours
    return sql.SQL(
        "(select case when x.theirs::numeric * {scale} = {ours} then x.theirs else heller_fence.too_fine({ours}, {name})::{type} end"
        " from (select ({ours} * {part})::{type} as theirs) x)"
    ).format(
        scale=sql.Literal(scale), ours=ours, name=sql.Literal(f"{part.label}.{column.name}"), type=sql.SQL(column.type),
        part=sql.SQL(f"0.{'0' * (len(str(scale)) - 2)}1"),  # a product is exact where a quotient may be cut
    )  # fmt: skip


def time_value(value: str, part: Part, field: str) -> sql.Composed:
    """An instant in the form the column keeps, in the zone that the column is read in."""
    column = part.column(field)
    stamp = sql.SQL("({})::timestamptz").format(sql.SQL(value))
    if column.base in {"timestamp without time zone", "date"}:
        return _local(stamp, column, part.mapping.time_zone)
    return (
        stamp
        if column.base == "timestamp with time zone"
        else cut(sql.SQL("({})::text").format(stamp), column)
    )


def _local(stamp: sql.Composable, column: Column, zone: str) -> sql.Composed:
    return sql.SQL("({} at time zone {})::{}").format(stamp, sql.Literal(zone), sql.SQL(column.type))


def fill_rest(part: Part, given: dict[str, sql.Composable]) -> dict[str, sql.Composable]:
    """Values for required columns that nothing else fills, or whose value may be missing, so that the row can be written."""
    ours = {part.mapping.columns.get(field) for field in ("id", "user_ref")}
    currency = part.mapping.columns.get("currency")
    for column in part.columns.values():
        if not column.not_null or column.is_generated or column.name in ours:
            continue
        if column.name in given:
            instead = (
                cut(sql.SQL("'EUR'"), column)
                if column.name == currency
                else filler(column, part.mapping.time_zone)
            )
            given[column.name] = sql.SQL("coalesce({}, {})").format(given[column.name], instead)
        elif not column.has_default:
            given[column.name] = filler(column, part.mapping.time_zone)
    return given


def filler(column: Column, zone: str) -> sql.Composable:
    """A value that means nothing, of the column's type; a time is now."""
    if column.labels:
        return sql.SQL("{}::{}").format(sql.Literal(column.labels[0]), sql.SQL(column.type))
    if column.base in {"smallint", "integer", "bigint", "numeric", "real", "double precision"}:
        return sql.SQL("0")
    if column.base in {"timestamp without time zone", "date"}:
        return _local(sql.SQL("clock_timestamp()"), column, zone)
    if column.base == "timestamp with time zone":
        return sql.SQL("clock_timestamp()")
    fillers = {"boolean": "false", "uuid": "gen_random_uuid()", "json": "'{}'::json", "jsonb": "'{}'::jsonb"}
    return sql.SQL(fillers.get(column.base, "''"))


def fill_id(part: Part, given: dict[str, sql.Composable]) -> None:
    """A value for an id that has no default of its own."""
    column = part.column("id")
    if column.has_default or column.is_generated:
        return
    if column.base in {"smallint", "integer", "bigint"}:
        given[column.name] = sql.SQL("(select coalesce(max(x.{id}), 0) + 1 from {table} x)").format(
            id=part.quoted("id"), table=part.identifier
        )
    else:
        given[column.name] = cut(sql.SQL("gen_random_uuid()"), column)


def names_of(given: dict[str, sql.Composable]) -> sql.Composed:
    """The columns, quoted."""
    return sql.SQL(", ").join(map(sql.Identifier, given))


def values_of(given: dict[str, sql.Composable]) -> sql.Composed:
    """The values in the same order."""
    return sql.SQL(", ").join(given.values())
