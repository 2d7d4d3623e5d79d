"""All steps of a migration after each other: audit, backup, plan, copy, verify, proof."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heller.migration.audit import Audit, find
from heller.migration.backup import BackedUp, write_backup
from heller.migration.copying import Copied, carry, require_target, stopped_run
from heller.migration.decisions import Decisions
from heller.migration.journal import journalled
from heller.migration.plan import Decide, Truth, check_truth, prepare, write_plan
from heller.migration.progress import Progress, silent
from heller.migration.proof import Proof, write_proof
from heller.migration.source import open_source
from heller.migration.staging import open_workspace, stage
from heller.migration.verification import Verified, verify


@dataclass(frozen=True, slots=True)
class Run:
    """The results of all steps."""

    audit: Audit
    backup: BackedUp
    copied: Copied
    verified: Verified
    proof: Proof

    @property
    def ok(self) -> bool:
        """True when every row is accounted for and verify found nothing."""
        return self.copied.ok and self.verified.ok

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate run``."""
        return self.copied.as_json() | {
            "backup": self.backup.as_json(),
            "findings": {finding.code: finding.count for finding in self.audit.findings},
            "mismatches": list(self.verified.mismatches),
            "mismatch_count": self.verified.mismatch_count,
            "proof": self.proof.html,
            "proof_json": self.proof.json,
            "digest": self.proof.digest,
            "ok": self.ok,
        }


async def run(
    source: str,
    database: str,
    out: Path,
    *,
    mapping: Path | None = None,
    truth: Truth = "balance",
    decide: Decide = "asked",
    resume: bool = False,
    progress: Progress = silent,
) -> Run:
    """From the source to a proven ledger. Raises DecisionsNeeded before anything is copied, Busy beside another run.

    Running again adds what is missing. To ``resume`` a run that was stopped while it copied, the truth must be the same.
    """
    async with open_workspace(database) as workspace:
        await require_target(workspace)
        async with open_source(source, workspace=workspace, mapping=mapping) as opened:
            check_truth(opened.mapping, truth)
            stopped = await stopped_run(workspace, opened.mapping.system, truth=truth) if resume else None
            async with journalled(database, "audit", opened.name, progress=progress) as step:
                snapshot_at = await stage(workspace, opened, progress=step)
                audited = await find(workspace, opened, out=out, snapshot_at=snapshot_at, progress=step)
                step.answer(audited.as_json())
            async with journalled(database, "plan", opened.name, progress=progress) as step:
                planned = await prepare(
                    workspace,
                    opened,
                    out=out,
                    truth=truth,
                    decide=decide,
                    snapshot_at=snapshot_at,
                    progress=step,
                )
                step.answer(planned.as_json())
            async with journalled(database, "backup", opened.name, progress=progress) as step:
                backed_up = await write_backup(opened, out / "backup", progress=step)
                step.answer(backed_up.as_json())
        write_plan(planned, out)
        decisions = Decisions.read(out / "decisions.toml", recommended=decide == "recommended")
        async with journalled(database, "copy", planned.source, progress=progress) as step:
            copied = await carry(workspace, planned, decisions=decisions, resumes=stopped, progress=step)
            step.answer(copied.as_json())
    verified = await verify(source, database, out, mapping=mapping, progress=progress)
    proof = await write_proof(database, out)
    return Run(audited, backed_up, copied, verified, proof)
