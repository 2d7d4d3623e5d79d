"""Every table of the credit system exactly as it is, as CSV and Parquet, with a manifest that proves the files readable.

CSV is what PostgreSQL's COPY writes (an unquoted empty field is NULL); Parquet is made from that CSV,
typed where the type holds every value, text elsewhere. Both are streamed.
"""

import asyncio
import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
from psycopg import AsyncConnection, sql
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from heller.errors import MigrationError
from heller.migration.catalogue import Table
from heller.migration.journal import journalled
from heller.migration.progress import Progress, silent
from heller.migration.source import Source, open_source
from heller.migration.staging import open_workspace

BLOCK_BYTES = 4 << 20
HASH_CHUNK_BYTES = 1 << 20
CSV_FIELD_CHARACTERS_MAX = 1 << 30
SUM_DIGITS_MAX = 200_000
"""More than PostgreSQL's numeric has, so that no sum is rounded."""
MANIFEST = "manifest.json"
_SUMMED = {"smallint": pa.int64(), "integer": pa.int64(), "bigint": pa.int64()}
_DECIMAL_SUMMED = frozenset({"numeric", "money"})
_TIMES = {
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "timestamp without time zone": pa.timestamp("us"),
}


@dataclass(frozen=True, slots=True)
class BackedUp:
    """Where the backup is and what it holds."""

    folder: str
    tables: dict[str, int]
    bytes: int
    digest: str

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate backup``."""
        return {
            "folder": self.folder,
            "tables": self.tables,
            "bytes": self.bytes,
            "digest": self.digest,
            "ok": True,
        }


@dataclass(frozen=True, slots=True)
class RestoreCheck:
    """What reading a backup back found; ``problems`` are sentences that name the file."""

    folder: str
    files: int
    rows: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True when every file is what the manifest says."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate restore-check``."""
        return {
            "folder": self.folder, "files": self.files, "rows": self.rows,
            "problems": list(self.problems), "ok": self.ok,
        }  # fmt: skip


async def backup(
    source: str, database: str, out: Path, *, mapping: Path | None = None, progress: Progress = silent
) -> BackedUp:
    """Back up every table that is read from ``source`` into ``out/backup``, in one snapshot."""
    async with (
        open_workspace(database) as workspace,
        open_source(source, workspace=workspace, mapping=mapping) as opened,
        journalled(database, "backup", opened.name, progress=progress) as step,
    ):
        result = await write_backup(opened, out / "backup", progress=step)
        step.answer(result.as_json())
        return result


async def write_backup(source: Source, folder: Path, *, progress: Progress = silent) -> BackedUp:
    """Write the files and, last, the manifest: without it a backup is not finished."""
    _begin(folder)
    tables: dict[str, Any] = {}
    for done, read in enumerate(source.mapping.tables):
        progress("backup", done, len(source.mapping.tables))
        table = source.catalogue.find(read.schema, read.table)
        if table is not None:
            tables[read.label] = await _write_table(source, table, folder=folder, name=read.label)
    manifest = {
        "source": source.name,
        "shape": source.mapping.shape,
        "written_at": datetime.now(UTC).isoformat(),
        "null": "an unquoted empty field",
        "tables": tables,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    progress("backup", len(tables), len(tables))
    size = sum(entry["bytes"] for table in tables.values() for entry in table["files"].values())
    rows = {name: table["rows"] for name, table in tables.items()}
    return BackedUp(str(folder), rows, size, hashlib.sha256(text.encode()).hexdigest())


def _begin(folder: Path) -> None:
    """Make the folder; an older manifest goes first, so that a half-written backup has none."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)


async def _write_table(source: Source, table: Table, *, folder: Path, name: str) -> dict[str, Any]:
    rows, sums, types = await _measure(source.connection, table)
    stem = file_stem(name)
    path, archive = folder / f"{stem}.csv", folder / f"{stem}.parquet"
    longest = await _write_csv(source, table, path)
    await asyncio.to_thread(_write_parquet, path, archive, types, max(BLOCK_BYTES, longest))
    return {
        "rows": rows,
        "columns": table.columns,
        "sums": sums,
        "files": {file.name: await asyncio.to_thread(_describe, file) for file in (path, archive)},
    }


def file_stem(name: str) -> str:
    """A table's name as a file can have it."""
    return name.replace("%", "%25").replace("/", "%2F")


async def _measure(
    connection: AsyncConnection, table: Table
) -> tuple[int, dict[str, str], dict[str, pa.DataType]]:
    """Rows, the sum of each numeric column, and the Arrow type that holds every value of each column."""
    summed = [name for name, kind in table.columns.items() if kind in _SUMMED or kind in _DECIMAL_SUMMED]
    times = [name for name, kind in table.columns.items() if kind in _TIMES]
    items: list[sql.Composable] = [sql.SQL("count(*)")]
    items += [
        sql.SQL("coalesce(sum({0}::numeric) filter (where {0}::text !~ '[IN]'), 0)::text").format(
            sql.Identifier(name)
        )
        if table.columns[name] == "numeric"  # without NaN and infinity, which have no sum
        else sql.SQL("coalesce(sum({0}::numeric), 0)::text").format(sql.Identifier(name))
        for name in summed
    ]
    items += [
        sql.SQL("coalesce(bool_and({0} >= '0001-01-01' and {0} < '9999-12-31'), true)").format(
            sql.Identifier(name)
        )
        for name in times
    ]
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(items), sql.Identifier(table.schema, table.name)
    )
    row = await (await connection.execute(query)).fetchone() or (0,)
    sums = dict(zip(summed, row[1 : 1 + len(summed)], strict=True))
    fitting = dict(zip(times, row[1 + len(summed) :], strict=True))
    types: dict[str, pa.DataType] = {}
    for name, kind in table.columns.items():
        if kind in _SUMMED:
            types[name] = _SUMMED[kind]
        elif kind == "boolean":
            types[name] = pa.bool_()
        else:
            types[name] = _TIMES[kind] if fitting.get(name) else pa.string()
    return row[0], sums, types


async def _write_csv(source: Source, table: Table, path: Path) -> int:
    """Write the rows; answers the bytes of the longest. Money goes as the number it is, not as the server's locale shows it."""
    columns = sql.SQL(", ").join(
        sql.SQL("{0}::numeric as {0}" if kind == "money" else "{0}").format(sql.Identifier(name))
        for name, kind in table.columns.items()
    )
    longest = 0
    statement = sql.SQL("copy (select {} from {}) to stdout (format csv, header)").format(
        columns, sql.Identifier(table.schema, table.name)
    )
    async with source.copying(statement) as copy:
        with path.open("wb") as file:
            async for row in copy:
                longest = max(longest, file.write(source.utf8(bytes(row))))
    return longest


def _write_parquet(path: Path, archive: Path, types: dict[str, pa.DataType], block_bytes: int) -> None:
    schema = pa.schema(list(types.items()))
    with (
        arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(block_size=block_bytes, use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        ) as reader,
        parquet.ParquetWriter(archive, schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)


def _describe(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def restore_check(folder: Path, *, progress: Progress = silent) -> RestoreCheck:
    """Read every file of a backup back and compare it with the manifest: bytes, rows, sums.

    Raises MigrationError when there is no manifest: the backup was never finished.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        tables = manifest["tables"].items()
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise MigrationError(
            f"{path} is not there or cannot be read: this backup is not finished or is damaged.",
            hint="Run heller migrate backup again.",
        ) from error
    problems: list[str] = []
    files = rows = 0
    for done, (name, table) in enumerate(tables):
        progress("check", done, len(tables))
        rows += table["rows"]
        for file_name, described in table["files"].items():
            files += 1
            problems += _check_file(folder / file_name, described, table)
        del name
    progress("check", len(tables), len(tables))
    return RestoreCheck(str(folder), files, rows, tuple(problems))


def _check_file(path: Path, described: dict[str, Any], table: dict[str, Any]) -> list[str]:
    if not path.exists():
        return [f"{path.name} is missing."]
    if path.stat().st_size != described["bytes"]:
        return [f"{path.name} has {path.stat().st_size:,} bytes; the manifest says {described['bytes']:,}."]
    if _sha256(path) != described["sha256"]:
        return [f"{path.name} was changed: its SHA-256 is not the manifest's."]
    read: Callable[[Path, list[str]], tuple[int, dict[str, Decimal]]] = (
        _read_csv if path.suffix == ".csv" else _read_parquet
    )
    try:
        with localcontext(prec=SUM_DIGITS_MAX):
            rows, sums = read(path, list(table["sums"]))
    except (OSError, ValueError, ArithmeticError, pa.ArrowException) as error:
        return [f"{path.name} cannot be read: {error}."]
    problems = (
        []
        if rows == table["rows"]
        else [f"{path.name} holds {rows:,} rows; the manifest says {table['rows']:,}."]
    )
    for column, total in table["sums"].items():
        if sums[column] != Decimal(total):
            problems.append(f"{path.name}: {column} adds up to {sums[column]}; the manifest says {total}.")
    return problems


def _read_csv(path: Path, summed: list[str]) -> tuple[int, dict[str, Decimal]]:
    csv.field_size_limit(CSV_FIELD_CHARACTERS_MAX)
    sums = dict.fromkeys(summed, Decimal(0))
    rows = 0
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        place = {column: number for number, column in enumerate(next(lines))}
        for line in lines:  # an empty one is the NULL of a table with one column
            rows += 1
            for column in summed:
                if line:
                    sums[column] += _summand(line[place[column]])
    return rows, sums


def _summand(value: Any) -> Decimal:
    """A value as a sum takes it: nothing for NULL, NaN and infinity."""
    number = Decimal(0 if value is None or value == "" else value)
    return number if number.is_finite() else Decimal(0)


def _read_parquet(path: Path, summed: list[str]) -> tuple[int, dict[str, Decimal]]:
    sums = dict.fromkeys(summed, Decimal(0))
    rows = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            rows += batch.num_rows
            for column in summed:
                values = batch.column(column).to_pylist()
                sums[column] += sum(map(_summand, values), Decimal(0))
    return rows, sums
