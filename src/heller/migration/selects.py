"""The one select by which a source table is read: casts only, no joins, nothing that can fail on a row.

A value that cannot be read as its canonical type comes over as null, and the column ``odd`` says
what it was, so that the row can be quarantined with a reason.
"""

from psycopg import sql

from heller.migration.catalogue import Table
from heller.migration.shapes import PART, Field, TableMapping

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_FLOATS = frozenset({"real", "double precision"})
_DIGITS_MAX = 18
_TIME_MIN, _TIME_MAX = "1900-01-02", "9998-12-31"
"""What lies beyond is no time but a mark for none: infinity, 0001-01-01, 1900-01-01; the ledger would refuse it."""
_TIME = (
    r"^(?!1900-01-01|9999)(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[ T]([01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]{1,9})?)?\s*(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?$"
)
_ZONE_SAID = r":[0-9.]+\s*(Z|[+-][0-9:]+)$"
_ODD_CHARACTERS_MAX = 80
_STAGED_TYPES = {"integer": "bigint", "time": "timestamptz"}

Expression = sql.Composed | sql.SQL | sql.Literal | sql.Identifier


def staged_columns(mapping: TableMapping) -> list[str]:
    """The columns of the staging table that the select of ``mapping`` fills, in its order."""
    names = [field.name for field in PART[mapping.part].fields if field.name not in {"before", "after"}]
    further = ["names"] if mapping.part == "users" else []
    return [
        "source",
        *(["ledger"] if mapping.part in {"transactions", "ledger"} else []),
        *names,
        *further,
        "odd",
    ]


def staging_table(part: str) -> str:
    """The staging table of a part: both histories share one."""
    return "transactions" if part == "ledger" else part


def source_select(mapping: TableMapping, table: Table, source: int) -> sql.Composed:
    """``select ... from table`` giving ``staged_columns`` in order and in their types, for a binary COPY TO STDOUT."""
    part = PART[mapping.part]
    items: list[sql.Composable] = [sql.SQL("{}::smallint").format(sql.Literal(source))]
    if mapping.part in {"transactions", "ledger"}:
        items.append(sql.SQL("true" if mapping.part == "ledger" else "false"))
    odd: list[sql.Composable] = []
    for field in part.fields:
        if field.name in {"before", "after"}:
            continue
        if field.name in mapping.constants:
            type_name = sql.SQL(_STAGED_TYPES.get(field.type, "text"))
            items.append(sql.SQL("{}::{}").format(sql.Literal(mapping.constants[field.name]), type_name))
            continue
        if field.name not in mapping.columns:
            items.append(sql.SQL("null"))
            continue
        column = sql.Identifier(mapping.columns[field.name])
        expression, complaint = _read(
            field,
            column,
            table.columns[mapping.columns[field.name]],
            mapping.scale(field.name),
            mapping.time_zone,
        )
        if field.name == "delta":
            expression = _signed(mapping, table, expression)
        items.append(expression)
        if complaint is not None:
            odd.append(complaint)
    if mapping.part == "users":
        items.append(_names(mapping))
    items.append(
        sql.SQL("nullif(concat_ws('; ', {}), '')").format(sql.SQL(", ").join(odd)) if odd else sql.SQL("null")
    )
    return sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(items), sql.Identifier(table.schema, table.name)
    )


def _names(mapping: TableMapping) -> sql.Composable:
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in mapping.names)
    return (
        sql.SQL("array_remove(array[{}]::text[], null)").format(columns) if mapping.names else sql.SQL("null")
    )


def _signed(mapping: TableMapping, table: Table, delta: sql.Composable) -> sql.Composable:
    """Delta with its true sign: some histories write what was spent as a positive amount."""
    if mapping.negated:
        return sql.SQL("-({})").format(delta)
    if {"before", "after"} <= set(mapping.columns):
        before, after = (
            whole(
                sql.Identifier(mapping.columns[name]),
                table.columns[mapping.columns[name]],
                mapping.scale(name),
            )[0]
            for name in ("before", "after")
        )
        return sql.SQL(
            "case when ({after}) - ({before}) = -({delta}) then -({delta}) else ({delta}) end"
        ).format(after=after, before=before, delta=delta)
    return delta


def _read(
    field: Field, column: sql.Identifier, type_name: str, scale: int, zone: str
) -> tuple[sql.Composable, sql.Composable | None]:
    """The expression that reads a column, and the one that complains about a value it cannot read."""
    if field.type == "integer":
        expression, readable = whole(column, type_name, scale)
        if field.name == "balance":
            expression = balance(column, type_name, scale)
        return expression, None if readable is None else _complaint(field, column, readable)
    if field.type == "time":
        return _time(field, column, type_name, zone)
    return sql.SQL("{}::text").format(column), None


def whole(value: sql.Composable, type_name: str, scale: int) -> tuple[sql.Composable, sql.Composable | None]:
    """A number times its scale as a bigint, null where that is not whole; and the test of it, None where it always is."""
    if type_name == "bigint" and scale == 1:  # the least of all has no opposite: a sign turned would overflow
        return sql.SQL("nullif({}::bigint, '-9223372036854775808')").format(value), None
    if type_name in _INTEGERS and scale == 1:
        return sql.SQL("{}::bigint").format(value), None
    value = _written_out(value, type_name)
    decimals = len(str(scale)) - 1
    pattern = rf"^\s*[-+]?[0-9]{{1,{_DIGITS_MAX - decimals}}}(\.[0-9]{{0,{decimals}}}0*)?\s*$"
    readable = sql.SQL("{}::text ~ {}").format(value, sql.Literal(pattern))
    return (
        sql.SQL("case when {} then {} end").format(readable, _times(value, scale)),
        readable,
    )


def balance(value: sql.Composable, type_name: str, scale: int) -> sql.Composable:
    """A balance as a bigint: the next whole number up where it holds a fraction, so that nobody ends with less."""
    exact, readable = whole(value, type_name, scale)
    if readable is None:
        return exact
    value = _written_out(value, type_name)
    number = rf"^\s*[-+]?[0-9]{{1,{_DIGITS_MAX - len(str(scale)) + 1}}}(\.[0-9]*)?\s*$"
    return sql.SQL(
        "case when {v}::text ~ {number} then ceil({v}::text::numeric * {scale})::bigint end"
    ).format(v=value, number=sql.Literal(number), scale=sql.Literal(scale))


def _written_out(value: sql.Composable, type_name: str) -> sql.Composable:
    """A number so that its text has all its digits: neither a sign of money nor an exponent."""
    if type_name == "money":
        return sql.SQL("({}::numeric)").format(value)
    if type_name in _FLOATS:
        return sql.SQL("(case when {v}::text ~ 'e' then {v}::text::numeric::text else {v}::text end)").format(
            v=value
        )
    return value


def _times(value: sql.Composable, scale: int) -> sql.Composed:
    if scale == 1:
        return sql.SQL("{}::text::numeric::bigint").format(value)
    return sql.SQL("({}::text::numeric * {})::bigint").format(value, sql.Literal(scale))


def _time(
    field: Field, column: sql.Identifier, type_name: str, zone: str
) -> tuple[sql.Composable, sql.Composable | None]:
    between = sql.SQL("{} between {} and {}").format(column, sql.Literal(_TIME_MIN), sql.Literal(_TIME_MAX))
    if type_name == "timestamp with time zone":
        return sql.SQL("case when {} then {} end").format(between, column), None
    if type_name in {"timestamp without time zone", "date"}:
        return sql.SQL("case when {} then {}::timestamp at time zone {} end").format(
            between, column, sql.Literal(zone)
        ), None
    month = sql.SQL("(left({c}::text, 7) || '-01')::date").format(c=column)
    readable = sql.SQL(
        "case when {c}::text ~ {pattern} then substr({c}::text, 9, 2)::int"
        " <= extract(day from ({month} + interval '1 month' - interval '1 day')) else false end"
    ).format(c=column, pattern=sql.Literal(_TIME), month=month)
    return (
        sql.SQL(
            "case when {ok} then case when {c}::text ~ {said} then {c}::text::timestamptz else {c}::text::timestamp at time zone {zone} end end"
        ).format(ok=readable, c=column, said=sql.Literal(_ZONE_SAID), zone=sql.Literal(zone)),
        _complaint(field, column, readable),
    )


def _complaint(field: Field, column: sql.Identifier, readable: sql.Composable) -> sql.Composable:
    return sql.SQL(
        "case when {c} is not null and not ({ok}) then {name} || left({c}::text, {max}) || '\"' end"
    ).format(c=column, ok=readable, name=sql.Literal(f'{field.name} "'), max=sql.Literal(_ODD_CHARACTERS_MAX))
