"""What a copy will do, in numbers, before it does it; and the digest that says which source it was planned for."""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from psycopg import AsyncConnection, sql

from heller.errors import SourceError, StalePlan, UsageError
from heller.migration.audit import find
from heller.migration.decisions import Decisions, apply_decisions, unused_rows
from heller.migration.journal import journalled
from heller.migration.progress import Progress, silent
from heller.migration.shapes import Mapping
from heller.migration.source import Source, open_source
from heller.migration.staging import STAGED, beside, execute_script, fingerprint, open_workspace, stage

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
        open_workspace(database) as workspace,
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
    aside = await fingerprint(workspace, ("quarantine",))  # before the decisions add to it
    async with beside(workspace) as second:
        _, content = await asyncio.gather(
            execute_script(workspace, "entries.sql", **names), _name_and_digest(second)
        )
    progress("plan", 2, 2)
    digest = sha256(
        json.dumps([content, aside, _mapping_text(source.mapping), decisions.digest(), truth]).encode()
    ).hexdigest()
    return await _numbers(workspace, source, digest=digest, truth=truth, snapshot_at=snapshot_at)


async def _name_and_digest(second: AsyncConnection) -> str:
    """What of the plan does not wait for the payments: the names to be, and the digest of what is staged."""
    await execute_script(second, "naming.sql")
    return await fingerprint(second, STAGED)


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
        (t.part, t.schema, t.table, t.columns, t.constants, t.names, t.negated, t.scales)
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
