"""The copy itself: planned rows become accounts, transactions, grants, payments and identities, in ranges of accounts.

A range is one transaction, and an account is in one range, so a kill at any moment leaves whole accounts.
Running again adds what is missing and nothing else: provenance says what is there.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import AsyncConnection, sql

from heller.database import call
from heller.errors import UsageError
from heller.migration.audit import fill_findings
from heller.migration.decisions import Decisions
from heller.migration.findings import FINDINGS
from heller.migration.journal import journalled
from heller.migration.plan import Decide, Plan, Truth, check_plan, prepare, taken_up, used_up, write_plan
from heller.migration.progress import Progress, silent
from heller.migration.source import Source, open_source
from heller.migration.staging import beside, execute_script, open_workspace, stage
from heller.schema import require

RANGE_ROWS = 25_000
WORKERS = 2

_RANGES = """
select min(no), max(no), sum(rows)::bigint from (
  select a.no, coalesce(k.rows, 0) + 1 as rows, (sum(coalesce(k.rows, 0) + 1) over (order by a.no) - 1)::bigint / %s as part
  from heller_staging.accounts a left join heller_staging.known k using (no)
) x group by part order by part
"""

_THERE = """
select h.history + m.merged
  + (select count(*) from heller_staging.homes h join heller.accounts a on a.account_id = h.account and a.unit = 'credit')
  + (select count(*) from heller_staging.customers c
     join (select name, min(user_id) as user_id from heller_staging.names group by name having count(distinct user_id) = 1) n
       on n.name = heller_staging.key(c.user_ref)
     join heller_staging.homes h on h.user_id = n.user_id
     where case when heller_staging.key(c.customer) is null
                then exists (select from heller.accounts a where a.account_id = h.account and a.unit = 'credit')
                else exists (select from heller.identities i where i.kind = 'stripe_customer' and i.user_id = h.account
                               and i.name = heller_staging.key(c.customer))
                  or exists (select from heller.users u where u.id = h.account and u.erased_at is not null) end)
  + (select count(*) from heller.payments where source_system = %(system)s),
  h.rows, h.credits
from (
  select count(*) filter (where source_table not in ('opening', 'decision')) as history, count(*) as rows,
         coalesce(sum(delta), 0)::bigint as credits
  from heller.transactions where source_system = %(system)s
) h,
(select count(*) as merged from heller.migration_outcomes where source_system = %(system)s and outcome = 'merged') m
"""
"""Source rows that heller holds (users, customers, payments, history, history merged into other history); transactions and their sum."""

_FORGET = """
delete from heller_staging.identities i using heller.users u where u.id = i.account and u.erased_at is not null
"""
"""Whoever was erased here stays forgotten, though the source still knows the names."""

_IS_NEW = """
select not exists (select from heller.accounts) and not exists (select from heller.identities)
   and not exists (select from heller.payments) and not exists (select from heller.migration_outcomes)
"""

_TOTALS = """
select (select count(*) from heller_staging.accounts a join heller.accounts h on h.account_id = a.account and h.unit = 'credit'),
       (select count(*) from heller_staging.quarantine)
"""


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of a copy: source rows by what became of them, and the credits on both sides.

    ``resumed`` is the run that was stopped and that this one, asked to, went on with.
    """

    run_id: int
    plan: Plan
    accounts: int
    transactions: int
    copied: int
    present: int
    quarantined: int
    credits_source: int
    credits_target: int
    resumed: int | None = None

    @property
    def ok(self) -> bool:
        """True when every source row is accounted for and the credits agree."""
        return (
            self.copied + self.present + self.quarantined == self.plan.rows
            and self.credits_source == self.credits_target
        )

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate copy`` and ``run``."""
        return {
            "accounts": self.accounts, "transactions": self.transactions, "copied": self.copied,
            "present": self.present, "quarantined": self.quarantined, "rows": self.plan.rows,
            "credits_source": self.credits_source, "credits_target": self.credits_target,
            "plan": self.plan.digest, "resumed": self.resumed, "mismatches": [], "proof": None, "ok": self.ok,
        }  # fmt: skip


async def copy(
    source: str,
    database: str,
    out: Path,
    *,
    mapping: Path | None = None,
    truth: Truth = "balance",
    decide: Decide = "asked",
    replan: bool = False,
    resume: bool = False,
    progress: Progress = silent,
) -> Copied:
    """Copy what plan.json planned, if the source is still what was planned. Raises StalePlan, DecisionsNeeded, Busy.

    What the plan prepared is taken up where it is still there and still right; otherwise the source is read again. Running again
    adds what is missing. To ``resume`` a copy that was stopped, its plan need not be the source's any more.
    """
    async with (
        open_workspace(database, takes_up=True) as workspace,
        open_source(source, workspace=workspace, mapping=mapping) as opened,
        journalled(database, "copy", opened.name, progress=progress) as step,
    ):
        await require_target(workspace)
        stopped = await stopped_run(workspace, opened.mapping.system, truth=truth) if resume else None
        planned = await taken_up(workspace, opened, out=out, truth=truth, decide=decide, progress=step)
        if planned is None:
            planned = await _prepare_anew(
                workspace, opened, out=out, truth=truth, decide=decide, progress=step
            )
        if replan or stopped is not None:
            write_plan(planned, out)
        check_plan(planned, out)
        decisions = Decisions.read(out / "decisions.toml", recommended=decide == "recommended")
        result = await carry(workspace, planned, decisions=decisions, resumes=stopped, progress=step)
        step.answer(result.as_json())
        return result


async def _prepare_anew(
    workspace: AsyncConnection, source: Source, *, out: Path, truth: Truth, decide: Decide, progress: Progress
) -> Plan:
    """Read the source and find out what is to be written, as ``plan`` does, but for the findings that ask nothing."""
    snapshot_at = await stage(workspace, source, progress=progress)
    await execute_script(workspace, "sums.sql")
    await fill_findings(workspace, [kind for kind in FINDINGS if kind.choices], progress=progress)
    return await prepare(
        workspace, source, out=out, truth=truth, decide=decide, snapshot_at=snapshot_at, progress=progress
    )


async def require_target(workspace: AsyncConnection) -> None:
    """Refuse a database that a copy cannot be written to. Raises SchemaMissing, SchemaMismatch, LimitExceeded on a cluster."""
    await require(workspace)
    await call(workspace, "_refuse_spread", what="a migration is copied")


async def stopped_run(workspace: AsyncConnection, system: str, *, truth: Truth) -> int | None:
    """The copy from ``system`` that was stopped before its end, if it is the last. Raises UsageError when it had another truth."""
    cursor = await workspace.execute(
        "select run_id, truth, finished_at is null from heller.migration_runs where source_system = %s"
        " order by run_id desc limit 1",
        (system,),
    )
    run_id, its_truth, is_stopped = await cursor.fetchone() or (None, truth, False)
    if not is_stopped:
        return None
    if its_truth != truth:
        raise UsageError(
            f"The copy that was stopped took {its_truth} for the truth, not {truth}.",
            hint=f"Go on with --truth {its_truth}.",
        )
    return int(run_id)


async def carry(
    workspace: AsyncConnection,
    planned: Plan,
    *,
    decisions: Decisions,
    resumes: int | None = None,
    progress: Progress = silent,
) -> Copied:
    """Write everything that is planned and not there yet."""
    run_id = await _begin_run(workspace, planned, decisions)
    before = await _there(workspace, planned)
    names = {"system": sql.Literal(planned.system), "snapshot_at": sql.Literal(planned.snapshot_at)}
    await execute_script(workspace, "copy.sql", **names)
    await workspace.execute(_FORGET)
    ranges = await (await workspace.execute(_RANGES, (RANGE_ROWS,))).fetchall()
    meter = _Meter(progress, sum(rows for _, _, rows in ranges))
    queue = list(reversed(ranges))
    await asyncio.gather(*(_worker(workspace, queue, meter) for _ in range(min(WORKERS, len(ranges)))))
    await used_up(workspace)
    await _write_outcomes(workspace, planned, run_id)
    return await _finish_run(workspace, planned, run_id=run_id, before=before, resumes=resumes)


class _Meter:
    """Adds up what the workers have done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        progress("copy", 0, total)

    def add(self, rows: int) -> None:
        """One more range is done."""
        self.done += rows
        self.progress("copy", self.done, self.total)


async def _worker(workspace: AsyncConnection, queue: list[tuple[int, int, int]], meter: _Meter) -> None:
    """Take ranges until none is left; each is one transaction."""
    async with beside(workspace) as connection:
        await connection.execute("set plan_cache_mode = force_custom_plan")
        # a range that a crash of the server takes back is missing wholly; the end of the run is committed to the disk, and all before it
        await connection.execute("set synchronous_commit = off")
        while queue:
            low, high, rows = queue.pop()
            async with connection.transaction():
                await connection.execute("select heller_staging.copy_range(%s, %s)", (low, high))
            meter.add(rows)


async def _begin_run(workspace: AsyncConnection, planned: Plan, decisions: Decisions) -> int:
    cursor = await workspace.execute(
        "insert into heller.migration_runs (source_system, source_name, truth, decisions, plan_digest, snapshot_at)"
        " values (%s, %s, %s, %s, %s, %s) returning run_id",
        (
            planned.system,
            planned.source,
            planned.truth,
            json.dumps(decisions.as_json()),
            planned.digest,
            planned.snapshot_at,
        ),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


class _There(NamedTuple):
    """What heller holds of the source: its rows, the transactions made of them and openings, and their sum."""

    rows: int
    transactions: int
    credits: int


async def _there(workspace: AsyncConnection, planned: Plan) -> _There:
    row = await (await workspace.execute(_IS_NEW)).fetchone()
    if row and row[0]:
        return _There(0, 0, 0)
    row = await (await workspace.execute(_THERE, {"system": planned.system})).fetchone()
    return _There(*row) if row else _There(0, 0, 0)


async def _write_outcomes(workspace: AsyncConnection, planned: Plan, run_id: int) -> None:
    """Journal what is no transaction of its own: merged rows and quarantined ones."""
    values = {"system": planned.system, "run": run_id}
    await workspace.execute(
        """
        insert into heller_staging.quarantine
        select k.source, k.id, f.ref, f.credits, 'another payment in heller carries the same id of the provider'
        from heller_staging.payment_keys k join heller_staging.facts f on f.id = k.id
        join heller_staging.sources s on s.source = k.source
        where k.account is not null and not exists (
          select from heller.payments p where p.account_id = k.account and p.source_system = %(system)s
            and p.source_table = s.label and p.source_id = k.id)
        """,
        values,
    )
    await workspace.execute(
        """
        insert into heller.migration_outcomes (source_system, source_table, source_id, outcome, reason, account_id, into_table, into_id, run_id)
        select %(system)s, s.label, m.id, 'merged', 'the same business event as ' || i.label || ' ' || m.into_id, e.account, i.label, m.into_id, %(run)s
        from heller_staging.merges m
        join heller_staging.sources s on s.source = m.source
        join heller_staging.sources i on i.source = m.into_source
        join heller_staging.entries e on e.source_table = i.label and e.source_id = m.into_id
        on conflict do nothing
        """,
        values,
    )
    await workspace.execute(
        """
        insert into heller_staging.quarantine
        select m.source, m.id, null, null, 'the transaction it is part of is left out'
        from heller_staging.merges m join heller_staging.sources s on s.source = m.source
        where not exists (select from heller.migration_outcomes o where o.source_system = %(system)s and o.source_table = s.label
                            and o.source_id = m.id and o.outcome = 'merged')
        """,
        values,
    )
    await workspace.execute(
        """
        insert into heller.migration_outcomes (source_system, source_table, source_id, outcome, reason, run_id)
        select distinct on (s.label, q.id) %(system)s, s.label, q.id, 'quarantined', q.reason, %(run)s
        from heller_staging.quarantine q join heller_staging.sources s using (source)
        order by s.label, q.id
        on conflict do nothing
        """,
        values,
    )


async def _finish_run(
    workspace: AsyncConnection, planned: Plan, *, run_id: int, before: _There, resumes: int | None
) -> Copied:
    """Count again what is there: copied is what this run added, present what it found."""
    after = await _there(workspace, planned)
    accounts, quarantined = await (await workspace.execute(_TOTALS)).fetchone() or (0, 0)
    result = Copied(
        run_id=run_id,
        plan=planned,
        accounts=accounts,
        transactions=after.transactions,
        copied=after.rows - before.rows,
        present=before.rows,
        quarantined=quarantined,
        credits_source=planned.credits["target"],
        credits_target=after.credits,
        resumed=resumes,
    )
    await workspace.execute(
        "update heller.migration_runs set finished_at = clock_timestamp(), summary = %s where run_id = %s",
        (json.dumps(result.as_json()), run_id),
    )
    return result
