"""What the catalogue alone shows: triggers that count twice, times without a zone, keys and tables that are missing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from heller.migration.catalogue import Catalogue, Table
from heller.migration.shapes import PART, Mapping, TableMapping

_CREDIT_PARTS = ("users", "payments", "transactions", "ledger")


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing about the schema: what it is, where, and a sentence."""

    code: str
    where: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """For the audit's ``schema`` list."""
        return {"code": self.code, "where": self.where, "sentence": self.sentence}


def inspect(catalogue: Catalogue, mapping: Mapping) -> Iterator[Observation]:
    """Yield each observation on the tables that are read."""
    for read in mapping.tables:
        table = catalogue.find(read.schema, read.table)
        if table is None:
            continue
        yield from _times(read, table)
        yield from _triggers(read, table, mapping)
        yield from _keys(read, table)
    for part in _CREDIT_PARTS:
        if not mapping.of(part):
            name = PART[part].tables[0]
            yield Observation("missing_table", name, f"There is no table {name} ({PART[part].says}).")


def _times(read: TableMapping, table: Table) -> Iterator[Observation]:
    for field in PART[read.part].fields:
        column = read.columns.get(field.name)
        if field.type == "time" and column and table.columns[column] == "timestamp without time zone":
            where = f"{read.label}.{column}"
            yield Observation(
                "naive_timestamps",
                where,
                f"{where} does not say its time zone; it is read as {read.time_zone}.",
            )


def _triggers(read: TableMapping, table: Table, mapping: Mapping) -> Iterator[Observation]:
    if read.part not in {"transactions", "ledger"}:
        return
    balances = [users.columns["balance"] for users in mapping.of("users") if "balance" in users.columns]
    for name, body in table.triggers.items():
        if any(
            re.search(rf"\bset\b[^;]*\b{re.escape(balance)}\b", body, re.IGNORECASE) for balance in balances
        ):
            where = f"{read.label}.{name}"
            yield Observation(
                "double_counting_trigger", where,
                f"The trigger {where} adds each row to the balance; if the application does so too, each counts twice.",
            )  # fmt: skip


def _keys(read: TableMapping, table: Table) -> Iterator[Observation]:
    wanted = {"payments": ("intent",), "transactions": ("payment_ref", "event")}.get(read.part, ())
    columns = [read.columns[field] for field in wanted if field in read.columns]
    if columns and not any(column in unique for unique in table.unique for column in columns):
        yield Observation(
            "missing_unique_key", read.label,
            f"Nothing stops a second row of {read.label} for the same payment ({', '.join(columns)} may repeat).",
        )  # fmt: skip
