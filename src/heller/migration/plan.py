"""What a copy will do, in numbers, before it does it; and the digest that says which source it was planned for.

What was prepared stays in the workspace: a copy of the same digest takes it up instead of reading the source again.
"""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from psycopg import AsyncConnection, sql

from heller.errors import SourceError, StalePlan, UsageError
from heller.migration.audit import find
from heller.migration.decisions import Decisions, apply_decisions, unused_rows
from heller.migration.journal import journalled
from heller.migration.progress import Progress, silent
from heller.migration.shapes import Mapping
from heller.migration.source import Source, open_source
from heller.migration.staging import beside, execute_script, fingerprint, open_workspace, stage

Truth = Literal["balance", "transactions", "ledger"]
Decide = Literal["asked", "recommended"]

_COUNTS = """
select (select count(*) from heller_staging.accounts),
       (select count(*) from heller_staging.accounts where not is_user),
       (select coalesce(sum(target), 0)::bigint from heller_staging.accounts),
       (select coalesce(sum(balance), 0)::bigint from heller_staging.accounts),
       (select coalesce(sum(unclaimed), 0)::bigint from heller_staging.accounts),
       (select coalesce(sum(corrected), 0)::bigint from heller_staging.accounts),
       (select coalesce(sum(rows), 0)::bigint from heller_staging.known),
       (select count(*) from heller_staging.merges),
       (select coalesce(sum(rows), 0)::bigint from heller_staging.sources where part in ('users', 'customers', 'payments', 'transactions', 'ledger')),
       (select coalesce(sum(rows), 0)::bigint from heller_staging.sources where part in ('events', 'admin_actions')),
       (select count(*) from heller_staging.quarantine)
"""

_OPENINGS = """
select count(*) filter (where d > 0), coalesce(sum(d) filter (where d > 0), 0)::bigint,
       count(*) filter (where d < 0), coalesce(sum(d) filter (where d < 0), 0)::bigint
from (
  select a.target - coalesce(k.credits, 0) as d from heller_staging.accounts a left join heller_staging.known k using (no)
) x
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to which source; ``digest`` changes when the source, the mapping, a decision or the truth does."""

    digest: str
    source: str
    system: str
    truth: Truth
    snapshot_at: datetime
    accounts: int
    unclaimed_accounts: int
    transactions: int
    rows: int
    evidence_rows: int
    merged: int
    quarantined: int
    openings: dict[str, int]
    kinds: dict[str, dict[str, int]]
    credits: dict[str, int]
    decisions: tuple[dict[str, Any], ...]
    unused_decisions: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and plan.json."""
        return {
            "digest": self.digest, "source": self.source, "system": self.system, "truth": self.truth,
            "snapshot_at": self.snapshot_at.isoformat(), "accounts": self.accounts,
            "unclaimed_accounts": self.unclaimed_accounts, "transactions": self.transactions, "rows": self.rows,
            "evidence_rows": self.evidence_rows, "merged": self.merged, "quarantined": self.quarantined,
            "openings": self.openings, "kinds": self.kinds, "credits": self.credits,
            "credits_target": self.credits["target"], "decisions": list(self.decisions),
            "unused_decisions": list(self.unused_decisions),
        }  # fmt: skip


async def plan(
    source: str,
    database: str,
    out: Path,
    *,
    mapping: Path | None = None,
    truth: Truth = "balance",
    decide: Decide = "asked",
    progress: Progress = silent,
) -> Plan:
    """Say what a copy would do, and keep it as plan.json in ``out``. Raises DecisionsNeeded, and then touches nothing."""
    async with (
        open_workspace(database, leaves=True) as workspace,
        open_source(source, workspace=workspace, mapping=mapping) as opened,
        journalled(database, "plan", opened.name, progress=progress) as step,
    ):
        snapshot_at = await stage(workspace, opened, progress=step)
        await find(workspace, opened, out=out, snapshot_at=snapshot_at, progress=step)
        result = await prepare(
            workspace, opened, out=out, truth=truth, decide=decide, snapshot_at=snapshot_at, progress=step
        )
        write_plan(result, out)
        step.answer(result.as_json())
        return result


async def prepare(
    workspace: AsyncConnection,
    source: Source,
    *,
    out: Path,
    truth: Truth,
    decide: Decide,
    snapshot_at: datetime,
    progress: Progress = silent,
) -> Plan:
    """Lay the decisions over what is staged and found, and build every transaction to be."""
    check_truth(source.mapping, truth)
    path = out / "decisions.toml"
    decisions = Decisions.read(path, recommended=decide == "recommended")
    await apply_decisions(workspace, decisions, path=path)
    progress("plan", 0, 2)
    await execute_script(workspace, "accounts.sql", truth=sql.Literal(truth))
    progress("plan", 1, 2)
    names = {"system": sql.Literal(source.mapping.system), "snapshot_at": sql.Literal(snapshot_at)}
    async with beside(workspace) as second:
        _, _, content = await asyncio.gather(
            execute_script(workspace, "entries.sql", **names),
            execute_script(second, "naming.sql"),  # names do not wait for the payments
            fingerprint(source),
        )
    progress("plan", 2, 2)
    digest = _digest(content, source.mapping, decisions=decisions, truth=truth)
    result = await _numbers(workspace, source, digest=digest, truth=truth, snapshot_at=snapshot_at)
    await _keep(workspace, result)
    return result


async def taken_up(
    workspace: AsyncConnection,
    source: Source,
    *,
    out: Path,
    truth: Truth,
    decide: Decide,
    progress: Progress = silent,
) -> Plan | None:
    """The plan whose rows are still in the workspace, if source, mapping, decisions and truth are what they were."""
    kept = await _kept(workspace)
    if kept is None:
        return None
    progress("compare", 0, 1)
    decisions = Decisions.read(out / "decisions.toml", recommended=decide == "recommended")
    digest = _digest(await fingerprint(source), source.mapping, decisions=decisions, truth=truth)
    progress("compare", 1, 1)
    return kept if (kept.source, kept.digest) == (source.name, digest) else None


async def used_up(workspace: AsyncConnection) -> None:
    """From now on what is in the workspace is not only what was prepared."""
    await workspace.execute("drop table if exists heller_staging.prepared")


async def _keep(workspace: AsyncConnection, result: Plan) -> None:
    """Say that the workspace holds all of ``result``. The table is as unlogged as the rows: a crash of the server empties them all."""
    await workspace.execute(
        "create unlogged table heller_staging.prepared as select %s::text as made_by, %s::jsonb as plan",
        (version("heller"), json.dumps(result.as_json())),
    )


async def _kept(workspace: AsyncConnection) -> Plan | None:
    row = await (
        await workspace.execute("select to_regclass('heller_staging.prepared') is not null")
    ).fetchone()
    if not (row and row[0]):
        return None
    cursor = await workspace.execute(
        "select plan from heller_staging.prepared where made_by = %s", (version("heller"),)
    )
    row = await cursor.fetchone()
    return msgspec.convert(row[0], Plan) if row else None


def _digest(content: str, mapping: Mapping, *, decisions: Decisions, truth: Truth) -> str:
    return sha256(
        json.dumps([content, _mapping_text(mapping), decisions.digest(), truth]).encode()
    ).hexdigest()


def check_truth(mapping: Mapping, truth: Truth) -> None:
    """Refuse a truth the source cannot tell."""
    if truth not in get_args(Truth):
        raise UsageError(f"The truth is balance, transactions or ledger, not {truth}.")
    if (truth == "balance" and not mapping.has("users", "balance")) or (
        truth != "balance" and not mapping.of(truth)
    ):
        raise SourceError(
            f"This source has no {truth} to be the truth.",
            hint="Choose another with --truth balance|transactions|ledger.",
        )


def _mapping_text(mapping: Mapping) -> str:
    tables = [
        (t.part, t.schema, t.table, t.columns, t.constants, t.names, t.negated, t.scales, t.strict)
        for t in mapping.tables
    ]
    return json.dumps([mapping.system, tables, mapping.kinds, mapping.statuses], sort_keys=True)


async def _numbers(
    workspace: AsyncConnection, source: Source, *, digest: str, truth: Truth, snapshot_at: datetime
) -> Plan:
    row = await (await workspace.execute(_COUNTS)).fetchone()
    opening = await (await workspace.execute(_OPENINGS)).fetchone()
    kinds = await workspace.execute(
        "select kind, count(*), sum(delta)::bigint from heller_staging.entries group by kind order by kind"
    )
    decided = await workspace.execute(
        "select code, choice, decided_by, count(*), coalesce(sum(credits), 0)::bigint from heller_staging.choices"
        " group by 1, 2, 3 order by 1, 2, 3"
    )
    accounts, unclaimed, target, balance, held, corrected, entries, merged, rows, evidence, quarantined = (
        row or (0,) * 11
    )
    up, up_credits, down, down_credits = opening or (0,) * 4
    return Plan(
        digest=digest,
        source=source.name,
        system=source.mapping.system,
        truth=truth,
        snapshot_at=snapshot_at,
        accounts=accounts,
        unclaimed_accounts=unclaimed,
        transactions=entries + up + down,
        rows=rows,
        evidence_rows=evidence,
        merged=merged,
        quarantined=quarantined,
        openings={
            "surplus": up,
            "surplus_credits": up_credits,
            "shortfall": down,
            "shortfall_credits": down_credits,
        },
        kinds={kind: {"count": count, "credits": total} for kind, count, total in await kinds.fetchall()},
        credits={"balances": balance, "unclaimed": held, "corrections": corrected, "target": target},
        decisions=tuple(
            {"code": code, "choice": choice, "decided_by": by, "rows": count, "credits": total}
            for code, choice, by, count, total in await decided.fetchall()
        ),
        unused_decisions=tuple(await unused_rows(workspace)),
    )


def write_plan(result: Plan, out: Path) -> None:
    """Keep the plan as plan.json, wholly or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    fresh = out / "plan.json.new"
    fresh.write_text(json.dumps(result.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(fresh, out / "plan.json")  # noqa: PTH105 - atomic: a kill leaves the old file or the new one


def check_plan(result: Plan, out: Path) -> None:
    """Refuse to copy when plan.json is for another state of things. Raises StalePlan."""
    path = out / "plan.json"
    if not path.exists():
        raise StalePlan(
            f"There is no plan in {out}.", hint="Run heller migrate plan first, or copy with --replan."
        )
    planned = json.loads(path.read_text(encoding="utf-8"))
    if planned.get("digest") != result.digest:
        raise StalePlan(
            f"Since the plan of {planned.get('snapshot_at')} the source, a decision, the mapping or the truth has changed.",
            hint="Look at a new plan (heller migrate plan), or copy with --replan.",
        )
