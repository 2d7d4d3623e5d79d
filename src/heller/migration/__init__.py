"""From a legacy credit database to a proven ledger: audit, backup, plan, copy, verify, proof."""

from heller.migration.audit import Audit, Finding, audit
from heller.migration.backup import BackedUp, RestoreCheck, backup, restore_check
from heller.migration.copying import Copied, copy
from heller.migration.draft import draft, draft_mapping
from heller.migration.plan import Plan, plan
from heller.migration.progress import Progress
from heller.migration.proof import Proof, check_proof, write_proof
from heller.migration.run import Run, run
from heller.migration.verification import Verified, verify

__all__ = [
    "Audit", "BackedUp", "Copied", "Finding", "Plan", "Progress", "Proof", "RestoreCheck", "Run", "Verified",
    "audit", "backup", "check_proof", "copy", "draft", "draft_mapping", "plan", "restore_check", "run", "verify",
    "write_proof",
]  # fmt: skip
