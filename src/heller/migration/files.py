"""A folder of JSON or CSV files as a source: the export of the legacy system, or heller's own backup.

Each file becomes a table of texts in a schema of the workspace database, which is then read like
any other source. File names say the table: ``users.csv``, ``users_export.json``.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from psycopg import AsyncConnection, sql

from heller.errors import SourceError

FILES_SCHEMA = "heller_files"
JSON_BYTES_MAX = 256 * 1024 * 1024
CHUNK_BYTES = 1 << 17

_TABLE_OF = {"transactions": "credit_transactions", "ledger": "credit_ledger", "events": "processed_events"}


async def load_folder(workspace: AsyncConnection, folder: Path) -> None:
    """Load every table file of ``folder`` into the schema of files. Raises SourceError with the file."""
    await workspace.execute(sql.SQL("drop schema if exists {0} cascade").format(sql.Identifier(FILES_SCHEMA)))
    await workspace.execute(sql.SQL("create schema {}").format(sql.Identifier(FILES_SCHEMA)))
    for path in _table_files(folder):
        if path.suffix == ".csv":
            await _load_csv(workspace, path)
        else:
            await _load_json(workspace, path)


def _table_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".csv"})
    found = [path for path in files if path.name not in {"manifest.json", "export_summary.json"}]
    if not found:
        raise SourceError(
            f"{folder} holds no .json or .csv file.", hint="Expected users_export.json, users.csv, ..."
        )
    return found


def _table_name(path: Path) -> str:
    stem = unquote(path.stem.removesuffix("_export").rpartition(".")[2])
    return _TABLE_OF.get(stem, stem)


async def _create(workspace: AsyncConnection, path: Path, columns: list[str]) -> sql.Identifier:
    table = sql.Identifier(FILES_SCHEMA, _table_name(path))
    if len(set(columns)) != len(columns) or not all(columns):
        raise SourceError(f"{path}: column names are empty or repeated: {', '.join(columns)}.")
    texts = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in columns)
    await workspace.execute(sql.SQL("create unlogged table {} ({})").format(table, texts))
    return table


async def _load_csv(workspace: AsyncConnection, path: Path) -> None:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        header = next(csv.reader(lines), None)
    if header is None:
        raise SourceError(f"{path} is empty; its first line must name the columns.")
    table = await _create(workspace, path, header)
    statement = sql.SQL("copy {} from stdin (format csv, header)").format(table)
    async with workspace.cursor() as cursor, cursor.copy(statement) as copy:
        with path.open("rb") as file:
            if file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                await copy.write(chunk)


async def _load_json(workspace: AsyncConnection, path: Path) -> None:
    rows = _read_json(path)
    columns = list(dict.fromkeys(str(key) for row in rows for key in row))
    if not columns:
        return
    table = await _create(workspace, path, columns)
    async with workspace.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(table)) as copy:
        for values in _values(rows, columns):
            await copy.write_row(values)


def _read_json(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size > JSON_BYTES_MAX:
        raise SourceError(
            f"{path} is larger than {JSON_BYTES_MAX >> 20} MB.", hint="Export it as CSV, which is streamed."
        )
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SourceError(f"{path} is not JSON: {error}.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SourceError(f"{path} is not a list of objects.")
    return rows


def _values(rows: list[dict[str, Any]], columns: list[str]) -> Iterator[list[str | None]]:
    for row in rows:
        yield [_text(row.get(column)) for column in columns]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
