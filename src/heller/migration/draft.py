"""A first draft of a mapping, written from the catalogue for a person to finish."""

import re

from heller.migration.catalogue import Catalogue, Table
from heller.migration.mapping import KINDS, STATES
from heller.migration.shapes import OTHER_NAMES, PARTS, Part, match, missing
from heller.migration.source import open_catalogue
from heller.migration.staging import open_workspace

_HINTS = {
    "users": r"user|account|member|customer|profile",
    "customers": r"stripe_customer|billing_customer",
    "payments": r"payment|order|charge|invoice|checkout|purchase",
    "transactions": r"transaction|credit|usage|movement|history|entr",
    "ledger": r"ledger",
    "events": r"event|webhook",
    "admin_actions": r"admin",
}


_NAIVE = frozenset({"timestamp without time zone", "date"})
_UTC = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Etc/UCT", "UCT", "Zulu"})
_DECIMALS = frozenset({"numeric", "real", "double precision"})


def draft_mapping(catalogue: Catalogue) -> str:
    """The text of a mapping: a section a part, the likeliest table and columns filled in, the rest in comments."""
    lines = [
        "# How to read this database as credits. Finish the lines, then: heller migrate audit --mapping FILE",
        '# A value is a column\'s name, or { value = "..." } for the same text in every row.',
        '# Credits are whole numbers here, amounts are cents. A column with decimals: { column = "...", scale = 100 } reads 12.50 as 1250.',
        "",
        'system = "legacy"  # names this source in the provenance of every copied row',
        _time_zone(catalogue),
        "",
    ]
    used: set[str] = set()
    owners: set[str] = set()
    for part in PARTS:
        table = _likeliest(part, catalogue, used)
        lines += _section(part, table, owners)
        if part.name == "users":
            owners = _owners(catalogue, table)
        if table is not None:
            used.add(table.label)
    lines += [
        "# What a reason means, where the words do not say it: " + ", ".join(KINDS),
        "[kinds]",
        '# "signup gift" = "grant"',
        "",
        "# What a payment's status means, where the words do not say it: " + ", ".join(STATES),
        "[statuses]",
        '# "done" = "paid"',
        "",
        "# Tables seen:",
        *(f"#   {table.label}({_typed(table)})" for table in catalogue.tables),
        "",
    ]
    return "\n".join(lines)


def _time_zone(catalogue: Catalogue) -> str:
    """The line for the zone of times that do not say theirs: what the server is set to is a hint, no more."""
    naive = [kind for table in catalogue.tables for kind in table.columns.values() if kind in _NAIVE]
    is_open = bool(naive) and catalogue.time_zone not in _UTC
    says = (
        f"{len(naive)} columns; the server is set to this zone, the application may write in another"
        if naive
        else "no column here"
    )
    return f'{"" if is_open else "# "}time_zone = "{catalogue.time_zone}"  # of times that do not say theirs: {says}'


def _likeliest(part: Part, catalogue: Catalogue, used: set[str]) -> Table | None:
    free = [table for table in catalogue.tables if table.readable and table.label not in used]
    exact = [table for table in free if table.name in part.tables]
    if exact:
        return exact[0]
    alike = [table for table in free if re.search(_HINTS[part.name], table.name, re.IGNORECASE)]
    scored = sorted(
        alike, key=lambda table: (len(missing(part, match(part, table))), -len(match(part, table)))
    )
    return scored[0] if scored else None


def _guess(part: Part, table: Table, owners: set[str]) -> dict[str, str]:
    """The columns whose names or keys leave no doubt, however they are spelled. ``owners`` are columns that elsewhere lead to users."""
    columns = match(part, table)
    spelled = {_plain(name): name for name in table.columns}

    def offer(name: str, found: list[str]) -> None:
        free = [column for column in found if column not in columns.values()]
        if name in fields and name not in columns and len(free) == 1:
            columns[name] = free[0]

    fields = {field.name for field in part.fields}
    for field in part.fields:
        offer(field.name, [spelled[_plain(name)] for name in field.candidates if _plain(name) in spelled][:1])
    offer("id", [key[0] for key in table.unique if len(key) == 1])
    offer("user_ref", [name for name in table.columns if name in owners])
    return columns


def _owners(catalogue: Catalogue, users: Table | None) -> set[str]:
    if users is None:
        return set()
    return {
        key.column
        for table in catalogue.tables
        for key in table.foreign_keys
        if (key.schema, key.table) == (users.schema, users.name)
    }


def _typed(table: Table) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in table.columns.items())


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _section(part: Part, table: Table | None, owners: set[str]) -> list[str]:
    lines = [f"# {part.name}: {part.says}"]
    if table is None:
        required = [field.name for field in part.fields if field.required]
        lines += [f"# [{part.name}]", '# table = ""', *(f'# {name} = ""  # needed' for name in required), ""]
        return lines
    columns = _guess(part, table, owners)
    off = "# " if missing(part, columns) and part.name not in {"users", "transactions"} else ""
    lines += [f"{off}[{part.name}]", f'{off}table = "{table.label}"']
    for field in part.fields:
        if field.name not in columns:
            need = "needed" if field.required else "optional"
            lines.append(f'# {field.name} = ""  # {need}; one of: {", ".join(table.columns)}')
            continue
        column = columns[field.name]
        lines.append(f'{off}{field.name} = "{column}"')
        if field.type == "integer" and table.columns[column] in _DECIMALS:
            lines.append(f'# with decimals: {field.name} = {{ column = "{column}", scale = 100 }}')
    if part.name == "users":
        names = [name for name in OTHER_NAMES if name in table.columns]
        lines.append(f"names = {names!r}  # further columns that name the same person".replace("'", '"'))
    if part.name == "transactions":
        lines.append("# negated = true  # when delta counts what was used upwards")
    return [*lines, ""]


async def draft(source: str, database: str) -> str:
    """The draft for a source that is read only as far as its catalogue."""
    async with open_workspace(database) as workspace, open_catalogue(source, workspace) as (_, catalogue):
        return draft_mapping(catalogue)
