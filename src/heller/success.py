"""``heller report success``: whether the move succeeded, before and after, and how credits are bought and used."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from psycopg import AsyncConnection
from pyarrow import parquet

from heller.database import call

SECONDS_MAX = 2.0
WEBHOOK_SUCCESS_MIN = 0.999
ERROR_RATIO_MAX = 0.01
COLUMNS = ("section", "name", "label", "value")

Row = tuple[str, str, str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the plan. ``ok`` is None where there is nothing to judge yet."""

    name: str
    value: float | None
    bound: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Success:
    """The plan's figures, and the raw ones they come from."""

    figures: tuple[Figure, ...]
    success: dict[str, Any]
    usage: dict[str, Any]

    @property
    def is_ok(self) -> bool:
        """No figure is out of bounds."""
        return all(figure.ok is not False for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        figures = [{"name": f.name, "value": f.value, "bound": f.bound, "ok": f.ok} for f in self.figures]
        return {"ok": self.is_ok, "figures": figures, "success": self.success, "usage": self.usage}

    def rows(self) -> Iterator[Row]:
        """All of it as lines of section, name, label, value."""
        for figure in self.figures:
            if figure.value is not None:
                yield "figures", figure.name, figure.bound, float(figure.value)
        for home, found in self.success["operations"].items():
            yield from _numbers("operations", home, found)
        yield from _numbers("webhooks", "", self.success["webhooks"])
        yield from _numbers("events", "", self.success["events"])
        yield from _usage_rows(self.usage)


async def success(connection: AsyncConnection, since: datetime, until: datetime) -> Success:
    """The figures of a period."""
    found = await call(connection, "success_figures", **{"from": since}, until=until)
    usage = await call(connection, "usage_figures", **{"from": since}, until=until)
    return Success(tuple(_figures(found, usage)), found, usage)


def _figures(found: Mapping[str, Any], usage: Mapping[str, Any]) -> Iterator[Figure]:
    lost = abs(int(found["trial_balance"]["difference"]))
    verified = found["verified"]
    yield Figure("credits lost", lost, "= 0", lost == 0 and (verified is None or verified["ok"]))
    for home, words in (("legacy", "before"), ("heller", "after")):
        operations = found["operations"].get(home)
        for name in ("p50", "p95", "p99"):
            seconds = None if operations is None else operations[f"{name}_milliseconds"] / 1000
            is_ok = None if seconds is None or home == "legacy" else seconds < SECONDS_MAX
            yield Figure(f"credit operations {name}, {words} (s)", seconds, f"< {SECONDS_MAX:g}", is_ok)
        ratio = None if operations is None else float(operations["error_ratio"])
        is_ok = None if ratio is None or home == "legacy" else ratio < ERROR_RATIO_MAX
        yield Figure(f"error rate, {words}", ratio, f"< {ERROR_RATIO_MAX:g}", is_ok)
    rate = webhook_success(found["webhooks"])
    yield Figure(
        "webhook success",
        rate,
        f">= {WEBHOOK_SUCCESS_MIN:g}",
        None if rate is None else rate >= WEBHOOK_SUCCESS_MIN,
    )
    dead = int(found["events"]["dead"])
    yield Figure("events given up", dead, "= 0", dead == 0)
    placed = sum(usage["orders"].values())
    yield Figure("orders paid", usage["orders"].get("paid", 0) / placed if placed else None, "", None)


def webhook_success(webhooks: Mapping[str, int]) -> float | None:
    """Which part of the deliveries that could be believed were stored; None when none came."""
    total = webhooks["accepted"] + webhooks["unavailable"]
    return webhooks["accepted"] / total if total else None


def _numbers(section: str, label: str, values: Mapping[str, Any]) -> Iterator[Row]:
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield section, name, label, float(value)


def _usage_rows(usage: Mapping[str, Any]) -> Iterator[Row]:
    yield from _numbers("usage", "", usage)
    for state, count in usage["orders"].items():
        yield "orders", state, "", float(count)
    for unit, found in usage["credits"].items():
        yield from _numbers("credits", unit, found)
    for found in usage["revenue"]:
        yield from _numbers("revenue", found["currency"], found)
    for found in usage["features"]:
        yield from _numbers("features", found["feature"], found)
    for found in usage["cohorts"]:
        yield "cohorts", "buyers", found["cohort"], float(found["buyers"])
        for month, count in found["active"].items():
            yield "cohorts", f"active {month}", found["cohort"], float(count)


def as_csv(rows: Iterable[Row]) -> str:
    """The lines as CSV. A label that a spreadsheet would run as a formula is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for section, name, label, value in rows:
        safe = f"'{label}" if label.startswith(("=", "+", "-", "@", "\t", "\r")) else label
        writer.writerow((section, name, safe, f"{value:g}" if value % 1 else int(value)))
    return text.getvalue()


def write_parquet(rows: Iterable[Row], path: Path) -> int:
    """The lines as a Parquet file; how many."""
    found = list(rows)
    types = (pa.string(), pa.string(), pa.string(), pa.float64())
    columns = [pa.array([row[place] for row in found], kind) for place, kind in enumerate(types)]
    parquet.write_table(pa.table(columns, names=list(COLUMNS)), path)
    return len(found)
