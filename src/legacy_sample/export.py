"""Loads the legacy system's own export of its production tables into the production shape."""

import json
from pathlib import Path
from typing import Any, Final

from psycopg import sql

from legacy_sample import planted, schema
from legacy_sample.layout import choose
from legacy_sample.model import LegacySampleError, Summary
from legacy_sample.sample import open_empty
from legacy_sample.tables import Writer

LIVE_EXPORT: Final = Path(__file__).parent / "live_export"
"""The export that came from a real production database; see the README there."""

_FILES: Final = {
    "users": "users_export.json",
    "payments": "payments_export.json",
    "credit_transactions": "transactions_export.json",
}
_NOT_EXPORTED: Final = {"payments": {"provider": "stripe", "currency": "EUR"}}


async def load_export(url: str, directory: Path, *, replace: bool = False) -> Summary:
    """Load ``users_export.json``, ``payments_export.json`` and ``transactions_export.json`` from ``directory``.

    The export leaves out a payment's provider, currency and time of update: they become stripe, EUR and
    the time of creation. Raises ``LegacySampleError`` for a file that is missing or not a list of rows,
    and for a column the production shape does not have.
    """
    tables = {table: _read(directory / name) for table, name in _FILES.items()}
    layout = choose("production", 0)
    async with open_empty(url, replace=replace) as connection:
        await schema.create_tables(connection, layout)
        writer = Writer(connection, layout)
        for table, rows in tables.items():
            for row in rows:
                await _insert(writer, table, row)
        await schema.create_keys(connection, layout)
        return await planted.summarise(
            connection, layout=layout, users=len(tables["users"]), planted=planted.Planted()
        )


def _read(path: Path) -> list[dict[str, Any]]:
    """The rows in an export file."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LegacySampleError(
            f"{path} is missing", f"The export has {', '.join(_FILES.values())}."
        ) from None
    except ValueError as error:
        raise LegacySampleError(f"{path} is not JSON: {error}", "Export the tables again.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LegacySampleError(
            f"{path} is not a list of rows", "Each export file holds one list of objects."
        )
    return rows


async def _insert(writer: Writer, table: str, row: dict[str, Any]) -> None:
    """Insert one exported row, casting each value to its column's type."""
    present = await writer.columns(table)
    unknown = sorted(row.keys() - present.keys())
    if unknown:
        raise LegacySampleError(
            f"{table} has no column {unknown[0]}", "The export is of another shape than production."
        )
    values = {**_NOT_EXPORTED.get(table, {}), **row}
    if "updated_at" in present and "created_at" in row:
        values.setdefault("updated_at", row["created_at"])
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.SQL("%s::text::{}").format(sql.SQL(present[name])) for name in values),
    )
    texts = [json.dumps(value) if isinstance(value, dict | list) else value for value in values.values()]
    await writer.connection.execute(statement, [None if text is None else str(text) for text in texts])
