"""Read the source and say what is wrong with it, changing nothing.

``find`` fills ``heller_staging.findings``; ``audit`` is the whole step: stage, find, write
``audit.json`` and ``decisions.toml``, answer the summary.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb

from heller.migration.decisions import Decisions, write_decisions
from heller.migration.findings import FINDING, FINDINGS, FindingKind, Level
from heller.migration.inspection import Observation, inspect
from heller.migration.journal import journalled
from heller.migration.progress import Progress, silent
from heller.migration.source import Source, open_source
from heller.migration.staging import execute_script, open_workspace, script, stage

ROWS_SHOWN_MAX = 20
FETCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One code's result: how many rows, how many credits they concern, and the first of the rows."""

    code: str
    level: Level
    count: int
    credits: int
    sentence: str
    rows: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """The finding as the ``--json`` contract has it."""
        return {
            "code": self.code, "level": self.level, "count": self.count, "credits": self.credits,
            "sentence": self.sentence, "rows": list(self.rows),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """What the source says in total: rows, and the three answers to the same question."""

    users: int
    payments: int
    transactions: int
    ledger_rows: int
    balance: int
    transaction_credits: int
    ledger_credits: int


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit; ``ok`` when there is neither a blocker nor a warning."""

    source: str
    shape: str
    snapshot_at: datetime
    totals: Totals
    findings: tuple[Finding, ...]
    schema: tuple[Observation, ...]

    @property
    def ok(self) -> bool:
        """True when nothing needs a decision or a look."""
        return all(finding.level == "note" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate audit``."""
        return {
            "source": self.source,
            "shape": self.shape,
            "snapshot_at": self.snapshot_at.isoformat(),
            "users": self.totals.users,
            "payments": self.totals.payments,
            "transactions": self.totals.transactions,
            "ledger_rows": self.totals.ledger_rows,
            "credits": {
                "balance": self.totals.balance,
                "transactions": self.totals.transaction_credits,
                "ledger": self.totals.ledger_credits,
            },
            "findings": [finding.as_json() for finding in self.findings],
            "schema": [observation.as_json() for observation in self.schema],
            "ok": self.ok,
        }


async def audit(
    source: str, database: str, out: Path, *, mapping: Path | None = None, progress: Progress = silent
) -> Audit:
    """Audit ``source`` in the workspace of ``database``; writes audit.json and decisions.toml into ``out``."""
    async with (
        open_workspace(database) as workspace,
        open_source(source, workspace=workspace, mapping=mapping) as opened,
        journalled(database, "audit", opened.name, progress=progress) as step,
    ):
        snapshot_at = await stage(workspace, opened, progress=step)
        result = await find(workspace, opened, out=out, snapshot_at=snapshot_at, progress=step)
        step.answer(result.as_json())
        return result


async def find(
    workspace: AsyncConnection,
    source: Source,
    *,
    out: Path,
    snapshot_at: datetime,
    progress: Progress = silent,
) -> Audit:
    """Fill the findings from what is staged, write the files, answer the result."""
    await execute_script(workspace, "sums.sql")
    observations = tuple(inspect(source.catalogue, source.mapping))
    seen = {observation.code for observation in observations}
    kinds = [
        kind
        for kind in FINDINGS
        if kind.from_rows and (kind.code != "double_counting_trigger" or kind.code in seen)
    ]
    await fill_findings(workspace, kinds, progress=progress)
    for observation in observations:
        if observation.code == "naive_timestamps":
            await workspace.execute(
                "insert into heller_staging.findings (code, key, credits, detail) values (%s, %s, 0, %s)",
                (observation.code, observation.where, Jsonb({"sentence": observation.sentence})),
            )
    result = Audit(
        source.name,
        source.mapping.shape,
        snapshot_at,
        await _totals(workspace),
        await _findings(workspace),
        observations,
    )
    make_folder(out)
    await _write_all(workspace, result, out / "audit.json")
    await write_decisions(workspace, out / "decisions.toml", decisions=Decisions.read(out / "decisions.toml"))
    return result


def make_folder(out: Path) -> None:
    """The folder that the steps write their files into."""
    out.mkdir(parents=True, exist_ok=True)


async def fill_findings(
    workspace: AsyncConnection, kinds: list[FindingKind], *, progress: Progress = silent
) -> None:
    """Ask the staged rows for each kind of finding."""
    for done, kind in enumerate(kinds):
        progress("audit", done, len(kinds))
        await workspace.execute(
            sql.SQL(
                "insert into heller_staging.findings (code, key, account, credits, detail)"
                " select {}, f.key, f.account, f.credits, f.detail from ({}) f"
            ).format(sql.Literal(kind.code), sql.SQL(script(f"findings/{kind.code}.sql")))
        )
    await workspace.execute("create index on heller_staging.findings (code)")
    await workspace.execute("analyze heller_staging.findings")
    progress("audit", len(kinds), len(kinds))


async def _totals(workspace: AsyncConnection) -> Totals:
    cursor = await workspace.execute(
        """
        select (select count(*) from heller_staging.users),
               (select count(*) from heller_staging.payments),
               count(*) filter (where not ledger), count(*) filter (where ledger),
               (select coalesce(sum(balance), 0)::bigint from heller_staging.users),
               coalesce(sum(delta) filter (where not ledger), 0)::bigint,
               coalesce(sum(delta) filter (where ledger), 0)::bigint
        from heller_staging.transactions
        """
    )
    row = await cursor.fetchone()
    quarantined = await workspace.execute(
        "select s.part, count(*) from heller_staging.quarantine q join heller_staging.sources s using (source) group by 1"
    )
    aside: dict[str, int] = dict(await quarantined.fetchall())
    users, payments, transactions, ledger_rows, *sums = row or (0,) * 7
    return Totals(
        users + aside.get("users", 0),
        payments + aside.get("payments", 0),
        transactions + aside.get("transactions", 0),
        ledger_rows + aside.get("ledger", 0),
        *sums,
    )


async def _findings(workspace: AsyncConnection) -> tuple[Finding, ...]:
    counted = await workspace.execute(
        "select code, count(*), coalesce(sum(credits), 0)::bigint from heller_staging.findings group by code"
    )
    counts = {code: (count, total) for code, count, total in await counted.fetchall()}
    found: list[Finding] = []
    for kind in FINDINGS:
        if kind.code not in counts:
            continue
        count, total = counts[kind.code]
        rows = [row async for row in _rows(workspace, kind.code, limit=ROWS_SHOWN_MAX)]
        found.append(Finding(kind.code, kind.level, count, total, kind.sentence(count, total), tuple(rows)))
    return tuple(found)


async def _rows(
    workspace: AsyncConnection, code: str, *, limit: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The rows of a finding, largest first, read in pieces so that memory stays small."""
    async with workspace.transaction(), workspace.cursor(name="finding_rows") as cursor:
        cursor.itersize = FETCH_ROWS
        await cursor.execute(
            "select key, account, credits, detail from heller_staging.findings where code = %s"
            ' order by abs(credits) desc nulls last, key collate "C" limit %s',
            (code, limit),
        )
        async for key, account, total, detail in cursor:
            yield {"key": key, "account": account, "credits": total, **(detail or {})}


async def _write_all(workspace: AsyncConnection, result: Audit, path: Path) -> None:
    """Write the audit with every row of every finding, a row at a time."""
    head = result.as_json()
    del head["findings"]
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, ensure_ascii=False, indent=2)[:-2] + ',\n  "findings": [')
        for place, finding in enumerate(result.findings):
            entry = finding.as_json()
            del entry["rows"]
            if FINDING[finding.code].choices:
                entry["choices"] = FINDING[finding.code].choices
            file.write(
                ("," if place else "") + "\n    " + json.dumps(entry, ensure_ascii=False)[:-1] + ', "rows": ['
            )
            separator = "\n      "
            async for row in _rows(workspace, finding.code):
                file.write(separator + json.dumps(row, ensure_ascii=False))
                separator = ",\n      "
            file.write("]}")
        file.write("\n  ]\n}\n")
