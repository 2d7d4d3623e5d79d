"""The TOML mapping of a schema that is not recognised: read and checked here, drafted by ``draft``.

A wrong mapping is refused with the line and the key; nothing is guessed.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from heller.errors import MappingError
from heller.migration.catalogue import Catalogue, Table
from heller.migration.shapes import PART, Mapping, Part, TableMapping, missing, table_mapping

KINDS = ("purchase", "grant", "spend", "refund", "clawback", "reinstate", "expire", "adjust", "transfer")
STATES = ("open", "paid", "refunded", "chargeback", "canceled", "failed")
SEVERAL = frozenset({"transactions", "events"})
"""Parts that several source tables may be read as; the others are one table at most."""

_TOP = {"system", "kinds", "statuses"} | set(PART)


class _Reader:
    """One mapping file: its parsed content, and where in the text a key stands."""

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self.path = path
        self.catalogue = catalogue
        try:
            self.text = path.read_text(encoding="utf-8")
            self.content: dict[str, Any] = tomllib.loads(self.text)
        except (OSError, UnicodeDecodeError) as error:
            raise MappingError(f"The mapping {path} cannot be read: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise MappingError(f"The mapping {path} is not TOML: {error}.") from error

    def fail(self, section: str, key: str, message: str, *, hint: str = "") -> MappingError:
        """The error for a key of a section, with the line where it stands."""
        return MappingError(
            f"{self.path}, line {line_of(self.text, section, key)}, {section}.{key}: {message}", hint=hint
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
        schema, _, name = label.rpartition(".")
        for table in self.catalogue.tables:
            if table.name == name and (not schema or table.schema == schema):
                if not table.readable:
                    raise self.fail(part, "table", f"the role may not read {table.label}")
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
        fields = {field.name for field in part.fields}
        for key, value in section.items():
            if key in {"table", "names", "negated"}:
                continue
            if key not in fields:
                raise self.fail(part.name, key, f"is none of {', '.join(sorted(fields))}")
            if not isinstance(value, dict):
                columns[key] = self.column(part.name, key, value=value, table=table)
            elif set(value) == {"value"}:
                constants[key] = str(value["value"])
            elif {"factor", "divide", "multiply"} & set(value):
                raise self.fail(
                    part.name,
                    key,
                    "credits are whole numbers and are copied as they are: a factor is not supported",
                    hint="Give the source a view that holds whole credits, and name the view here.",
                )
            else:
                raise self.fail(part.name, key, 'must be a column, or { value = "..." } for a constant')
        lacking = missing(part, columns | constants)
        if lacking:
            raise self.fail(part.name, "table", f"{', '.join(lacking)} must be given")
        names = self.names(part.name, section, table)
        found = table_mapping(part, table, columns=columns, catalogue=self.catalogue)
        return TableMapping(
            part.name, table.schema, table.name, columns, constants,
            names=names, negated=self.negated(part.name, section), strict=found.strict,
        )  # fmt: skip

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


def read_mapping(path: Path, catalogue: Catalogue) -> Mapping:
    """Read a mapping file against the catalogue of the source. Raises MappingError with the place."""
    reader = _Reader(path, catalogue)
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
    mapping = Mapping(
        "mapped", system, tuple(tables), reader.words("kinds", KINDS), reader.words("statuses", STATES)
    )
    if not mapping.of("users"):
        raise MappingError(f"{path}: there is no [users] section; somebody must own the credits.")
    if not (mapping.has("users", "balance") or mapping.of("transactions") or mapping.of("ledger")):
        raise MappingError(
            f"{path}: neither users.balance nor [transactions] nor [ledger] says who has how many credits."
        )
    return mapping
