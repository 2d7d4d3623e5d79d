"""Recompute and compare: a fresh snapshot of the source against heller, by SQL that shares nothing with the copy.

What the two share is who is who and what was decided (``identities.sql``, ``accounts.sql``): the question,
not the answer. At the end the ledger verifies itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql

from heller.errors import MigrationError
from heller.ledger.verify import Verification as LedgerVerification
from heller.ledger.verify import verify as verify_ledger
from heller.migration.audit import FETCH_ROWS, fill_findings, make_folder
from heller.migration.decisions import Decisions, apply_decisions
from heller.migration.findings import FINDINGS
from heller.migration.journal import journalled
from heller.migration.progress import Progress, silent
from heller.migration.source import open_source
from heller.migration.staging import execute_script, open_workspace, stage
from heller.schema import require

MISMATCHES_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Verified:
    """The comparison: ``mismatches`` are the first of ``mismatch_count``; verify.json has them all."""

    source: str
    snapshot_at: datetime
    accounts: int
    rows: int
    credits_source: int
    credits_target: int
    mismatch_count: int
    mismatches: tuple[dict[str, Any], ...]
    ledger: LedgerVerification

    @property
    def ok(self) -> bool:
        """True when nothing differs and the ledger's own rows agree with each other."""
        return self.mismatch_count == 0 and self.credits_source == self.credits_target and self.ledger.is_ok

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate verify``."""
        return {
            "ok": self.ok, "source": self.source, "snapshot_at": self.snapshot_at.isoformat(), "accounts": self.accounts,
            "rows": self.rows, "credits_source": self.credits_source, "credits_target": self.credits_target,
            "mismatch_count": self.mismatch_count, "mismatches": list(self.mismatches), "ledger": self.ledger.as_json(),
        }  # fmt: skip


async def verify(
    source: str, database: str, out: Path, *, mapping: Path | None = None, progress: Progress = silent
) -> Verified:
    """Compare the source as it is now with heller; writes verify.json into ``out``.

    Truth and decisions are those of the last copy from this source, as journalled in heller.
    """
    async with (
        open_workspace(database) as workspace,
        open_source(source, workspace=workspace, mapping=mapping) as opened,
        journalled(database, "verify", opened.name, progress=progress) as step,
    ):
        await require(workspace)
        truth, decisions = await _last_run(workspace, opened.mapping.system)
        snapshot_at = await stage(workspace, opened, progress=step)
        await execute_script(workspace, "sums.sql")
        await fill_findings(workspace, [kind for kind in FINDINGS if kind.choices])
        await apply_decisions(workspace, decisions, path=out / "decisions.toml")
        await execute_script(workspace, "accounts.sql", truth=sql.Literal(truth))
        step("verify", 0, 2)
        ledger, _ = await asyncio.gather(  # the ledger is read by a session of its own
            verify_ledger(database),
            execute_script(
                workspace,
                "verify.sql",
                system=sql.Literal(opened.mapping.system),
                without_times=sql.Literal(await _has_rows_without_time(workspace)),
            ),
        )
        step("verify", 2, 2)
        result = await _result(
            workspace,
            source=opened.name,
            system=opened.mapping.system,
            snapshot_at=snapshot_at,
            ledger=ledger,
        )
        make_folder(out)
        await _write(workspace, result, out / "verify.json")
        step.answer(result.as_json())
        return result


async def _last_run(workspace: AsyncConnection, system: str) -> tuple[str, Decisions]:
    cursor = await workspace.execute(
        "select truth, decisions from heller.migration_runs where source_system = %s order by run_id desc limit 1",
        (system,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise MigrationError(
            f"Nothing was copied from {system} into this database yet.",
            hint="Run heller migrate copy, or heller migrate run.",
        )
    return row[0], Decisions.from_json(row[1])


async def _has_rows_without_time(workspace: AsyncConnection) -> bool:
    """Rows without a time were placed at the time of their copy, so the last row's time says nothing then."""
    row = await (
        await workspace.execute(
            "select exists (select from heller_staging.transactions where created_at is null)"
        )
    ).fetchone()
    return bool(row and row[0])


async def _result(
    workspace: AsyncConnection, *, source: str, system: str, snapshot_at: datetime, ledger: LedgerVerification
) -> Verified:
    cursor = await workspace.execute(
        """
        select (select count(*) from heller_staging.accounts), (select count(*) from heller_staging.expected),
               (select coalesce(sum(target), 0)::bigint from heller_staging.accounts),
               (select coalesce(sum(delta), 0)::bigint from heller.transactions where source_system = %s),
               (select count(*) from heller_staging.mismatches)
        """,
        (system,),
    )
    accounts, rows, credits_source, credits_target, count = await cursor.fetchone() or (0,) * 5
    shown = [row async for row in _mismatches(workspace, limit=MISMATCHES_SHOWN_MAX)]
    broken = [
        {
            "account": row["account"],
            "what": f"ledger: {row['what']}" + (f" of transaction {row['seq']}" if row["seq"] else ""),
            "source": row["expected"],
            "target": row["found"],
        }
        for row in ledger.broken[:MISMATCHES_SHOWN_MAX]
    ]
    return Verified(
        source, snapshot_at, accounts, rows, credits_source, credits_target,
        count + len(ledger.broken), tuple(shown + broken), ledger,
    )  # fmt: skip


async def _mismatches(
    workspace: AsyncConnection, *, limit: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    async with workspace.transaction(), workspace.cursor(name="mismatches") as cursor:
        cursor.itersize = FETCH_ROWS
        await cursor.execute(
            "select account, what, source, target from heller_staging.mismatches"
            ' order by account collate "C", what limit %s',
            (limit,),
        )
        async for account, what, source, target in cursor:
            yield {"account": account, "what": what, "source": source, "target": target}


async def _write(workspace: AsyncConnection, result: Verified, path: Path) -> None:
    """Write the result with every mismatch, a row at a time."""
    head = result.as_json()
    own = [row for row in head.pop("mismatches") if row["what"].startswith("ledger: ")]
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, ensure_ascii=False, indent=2)[:-2] + ',\n  "mismatches": [')
        separator = "\n    "
        async for row in _mismatches(workspace):
            file.write(separator + json.dumps(row, ensure_ascii=False))
            separator = ",\n    "
        for row in own:
            file.write(separator + json.dumps(row, ensure_ascii=False))
            separator = ",\n    "
        file.write("\n  ]\n}\n")
