"""The TOML mapping of a schema that is not recognised: read and checked here, drafted by ``draft``.

A wrong mapping is refused with the line and the key; nothing is guessed.
"""

import difflib
import re
import tomllib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from heller.errors import MappingError
from heller.migration.catalogue import Catalogue, Table
from heller.migration.shapes import PART, Mapping, Part, TableMapping, missing

KINDS = ("purchase", "grant", "spend", "refund", "clawback", "reinstate", "expire", "adjust", "transfer")
STATES = ("open", "paid", "refunded", "chargeback", "canceled", "failed")
SCALES = tuple(10**power for power in range(7))
"""By what a column's numbers may be multiplied: decimals become whole numbers and nothing is rounded."""
SEVERAL = frozenset({"transactions", "events"})
"""Parts that several source tables may be read as; the others are one table at most."""

_TOP = {"system", "time_zone", "kinds", "statuses"} | set(PART)


class _Reader:
    """One mapping: its parsed content, and where in the text a key stands."""

    def __init__(self, text: str, place: str, catalogue: Catalogue) -> None:
        self.text, self.place = text, place
        self.catalogue = catalogue
        try:
            self.content: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise MappingError(f"The mapping {place} is not TOML: {error}.") from error

    def fail(self, section: str, key: str, message: str, *, hint: str = "") -> MappingError:
        """The error for a key of a section, with the line where it stands."""
        return MappingError(
            f"{self.place}, line {line_of(self.text, section, key)}, {f'{section}.{key}' if section else key}: {message}",
            hint=hint,
        )

    def words(self, section: str, allowed: tuple[str, ...]) -> dict[str, str]:
        """A table of texts whose values come from a closed list (kinds, statuses)."""
        table = self.content.get(section, {})
        if not isinstance(table, dict):
            raise self.fail(section, section, "must be a table")
        for key, value in table.items():
            if value not in allowed:
                raise self.fail(section, key, f"{value!r} is none of {', '.join(allowed)}")
        return {str(key).strip().lower(): value for key, value in table.items()}

    def source_table(self, part: str, section: dict[str, Any]) -> Table:
        """The source's table that a section names, readable and present."""
        label = section.get("table")
        if not isinstance(label, str):
            raise self.fail(part, "table", "must name a table, as 'schema.table' or 'table'")
        for table in self.catalogue.tables:
            if label in {table.label, table.name}:
                if table.refusal:
                    why, hint = table.refusal
                    raise self.fail(part, "table", why, hint=hint)
                return table
        seen = ", ".join(table.label for table in self.catalogue.tables[:40])
        raise self.fail(part, "table", f"there is no table {label}", hint=f"The source has: {seen}.")

    def column(self, part: str, key: str, *, value: Any, table: Table) -> str:
        """The name of a column of ``table``."""
        if not isinstance(value, str) or value not in table.columns:
            raise self.fail(
                part,
                key,
                f"{table.label} has no column {value!r}",
                hint=f"It has: {', '.join(table.columns)}.",
            )
        return value

    def table(self, part: Part, section: dict[str, Any]) -> TableMapping:
        """One section, as the mapping of one table."""
        table = self.source_table(part.name, section)
        columns: dict[str, str] = {}
        constants: dict[str, str] = {}
        scales: dict[str, int] = {}
        fields = {field.name for field in part.fields}
        for key, value in section.items():
            if key in {"table", "names", "negated", "time_zone"}:
                continue
            if key not in fields:
                raise self.fail(part.name, key, f"is none of {', '.join(sorted(fields))}")
            if not isinstance(value, dict):
                columns[key] = self.column(part.name, key, value=value, table=table)
            elif set(value) == {"value"}:
                constants[key] = self.constant(part, key, value["value"])
            elif set(value) == {"column", "scale"} and part.field(key).type == "integer":
                columns[key] = self.column(part.name, key, value=value["column"], table=table)
                scales[key] = self.scale(part.name, key, value["scale"])
            else:
                raise self.fail(
                    part.name,
                    key,
                    'must be a column, { value = "..." } for a constant,'
                    ' or for a number { column = "...", scale = 100 }',
                    hint="A scale of 100 reads 12.50 as 1250.",
                )
        lacking = missing(part, columns | constants)
        if lacking:
            raise self.fail(part.name, "table", f"{', '.join(lacking)} must be given")
        names = self.names(part.name, section, table)
        return TableMapping(
            part.name, table.schema, table.name, columns, constants,
            names=names, negated=self.negated(part.name, section), scales=scales,
            time_zone=self.time_zone(part.name, section),
        )  # fmt: skip

    def constant(self, part: Part, key: str, value: Any) -> str:
        """The text of a constant, which its field's type can read."""
        text, kind = str(value), part.field(key).type
        if kind == "integer" and not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise self.fail(part.name, key, f"{text!r} is not a whole number")
        if kind == "time":
            try:
                datetime.fromisoformat(text)
            except ValueError:
                message = f"{text!r} is not an instant such as 2025-01-31T12:00:00Z"
                raise self.fail(part.name, key, message) from None
        return text

    def scale(self, part: str, key: str, value: Any) -> int:
        """How many of ours one of the column's is."""
        if value not in SCALES or isinstance(value, bool):
            raise self.fail(
                part,
                key,
                f"the scale is one of {', '.join(map(str, SCALES))}",
                hint="It is 1 unless it is given.",
            )
        return int(value)

    def time_zone(self, part: str, section: dict[str, Any]) -> str:
        """In which zone a table's times are that do not say it: the table's own, else the mapping's, else UTC."""
        place, zone = (
            (part, section["time_zone"])
            if "time_zone" in section
            else ("", self.content.get("time_zone", "UTC"))
        )
        known = self.catalogue.time_zones
        if isinstance(zone, str) and (known is None or zone == "UTC" or zone in known):
            return zone
        alike = difflib.get_close_matches(str(zone), sorted(known or ()), n=1)
        raise self.fail(
            place,
            "time_zone",
            f"the source's server knows no time zone {zone!r}",
            hint=f"Did you mean {alike[0]!r}?" if alike else "Give an IANA name, such as 'Europe/Berlin'.",
        )

    def names(self, part: str, section: dict[str, Any], table: Table) -> tuple[str, ...]:
        """Further columns of users that name the same person."""
        names = section.get("names", [])
        if names and part != "users":
            raise self.fail(part, "names", "only users have further names")
        if not isinstance(names, list):
            raise self.fail(part, "names", "must be a list of columns")
        return tuple(self.column(part, "names", value=name, table=table) for name in names)

    def negated(self, part: str, section: dict[str, Any]) -> bool:
        """True for a history that counts what was used upwards."""
        negated = section.get("negated", False)
        if not isinstance(negated, bool) or (negated and part != "transactions"):
            raise self.fail(part, "negated", "must be true or false, and only transactions know it")
        return negated


def strictly(tables: list[TableMapping], catalogue: Catalogue) -> tuple[TableMapping, ...]:
    """The tables, strict where a foreign key leads to the id of the mapped users, so that no other name can be meant."""
    users = next((table for table in tables if table.part == "users"), None)
    if users is None:
        return tuple(tables)
    target = (users.schema, users.table, users.columns.get("id"))
    return tuple(
        replace(
            table,
            strict=any(
                key.column == table.columns.get("user_ref") and (key.schema, key.table, key.target) == target
                for key in found.foreign_keys
            ),
        )
        if (found := catalogue.find(table.schema, table.table))
        else table
        for table in tables
    )


def line_of(text: str, section: str, key: str) -> int:
    """The line, from 1, where ``key`` of ``section`` stands, else the section's, else 1."""
    current, found = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        heading = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if heading:
            current = heading[1].strip("\"'")
            found = number if current == section else found
        elif current in {section, ""} and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
            return number
    return found


def _refuse_twice(reader: _Reader, tables: list[TableMapping]) -> None:
    """A row of a history is known by its table and its id, so one table is one history."""
    seen: set[str] = set()
    for table in tables:
        if table.part in {"transactions", "ledger"}:
            if table.label in seen:
                raise reader.fail(
                    table.part,
                    "table",
                    f"{table.label} is read twice, and its rows could not be told apart",
                    hint="Make a view of it in the source for each reading.",
                )
            seen.add(table.label)


def mapping_text(path: Path) -> str:
    """What a mapping file says. Raises MappingError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping {path} cannot be read: {error}.") from error


def read_mapping(path: Path, catalogue: Catalogue) -> Mapping:
    """Read a mapping file against the catalogue of the source. Raises MappingError with the place."""
    return parse_mapping(mapping_text(path), catalogue, place=str(path))


def parse_mapping(text: str, catalogue: Catalogue, *, place: str) -> Mapping:
    """Read the text of a mapping that is kept at ``place``. Raises MappingError with the place."""
    reader = _Reader(text, place, catalogue)
    for key in reader.content:
        if key not in _TOP:
            raise reader.fail(key, key, f"is none of {', '.join(sorted(_TOP))}")
    system = reader.content.get("system", "legacy")
    if not isinstance(system, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", system):
        raise reader.fail("", "system", "must be a short lower-case name, such as 'legacy'")
    tables: list[TableMapping] = []
    for name, part in PART.items():
        given = reader.content.get(name, [])
        sections = [given] if isinstance(given, dict) else given
        if not isinstance(sections, list) or not all(isinstance(section, dict) for section in sections):
            raise reader.fail(name, name, f"must be a table: [{name}]")
        if len(sections) > 1 and name not in SEVERAL:
            raise reader.fail(name, "table", f"only one table can be {name}")
        tables.extend(reader.table(part, section) for section in sections)
    _refuse_twice(reader, tables)
    mapping = Mapping(
        "mapped",
        system,
        strictly(tables, catalogue),
        reader.words("kinds", KINDS),
        reader.words("statuses", STATES),
    )
    if not mapping.of("users"):
        raise MappingError(f"{place}: there is no [users] section; somebody must own the credits.")
    if not (mapping.has("users", "balance") or mapping.of("transactions") or mapping.of("ledger")):
        raise MappingError(
            f"{place}: neither users.balance nor [transactions] nor [ledger] says who has how many credits."
        )
    return mapping
