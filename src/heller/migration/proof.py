"""The report of a migration: one HTML file a founder reads, and the same as JSON for whoever checks it.

It is made of what the steps left behind (audit.json, plan.json, verify.json, the backup's manifest, the
journal in heller), and signed by its own hash: SHA-256 over the canonical JSON without ``digest``.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from psycopg import AsyncConnection

from heller.errors import MigrationError
from heller.migration.backup import MANIFEST
from heller.migration.findings import FINDING
from heller.migration.journal import journalled
from heller.migration.progress import silent
from heller.migration.staging import connect

EXCEPTIONS_SHOWN_MAX = 200
FINDING_ROWS_MAX = 10
HASH_CHUNK_BYTES = 1 << 20

_QUARANTINED = """
select source_table, source_id, reason, count(*) over () from heller.migration_outcomes
where source_system = %(system)s and outcome = 'quarantined' order by source_table, length(source_id), source_id limit %(limit)s
"""
_ADJUSTED = """
select account_id, source_table, source_id, delta, reason, count(*) over ()
from heller.transactions where source_system = %(system)s and source_table in ('opening', 'decision')
order by abs(delta) desc, account_id limit %(limit)s
"""
_UNCLAIMED = """
select account_id, posted, count(*) over () from heller.accounts
where account_id like 'unclaimed:%%' order by abs(posted) desc, account_id limit %(limit)s
"""
_RUN = """
select run_id, truth, snapshot_at, started_at, finished_at, summary from heller.migration_runs
where source_system = %(system)s order by run_id desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the proof is, and its hash."""

    html: str
    json: str
    digest: str
    ok: bool

    def as_json(self) -> dict[str, Any]:
        """The ``--json`` contract of ``heller migrate proof``."""
        return {"proof": self.html, "proof_json": self.json, "digest": self.digest, "ok": self.ok}


async def write_proof(database: str, out: Path) -> Proof:
    """Write proof.html and proof.json into ``out`` from what the steps before left there and in heller.

    Raises MigrationError naming the step that is missing.
    """
    audit, plan, verified = (_load(out, name) for name in ("audit", "plan", "verify"))
    async with journalled(database, "proof", plan["source"], progress=silent) as step:
        content = await _content(database, out, audit=audit, plan=plan, verified=verified)
        page = _environment().get_template("proof.html.j2").render(proof=content)
        _write(out / "proof.json", json.dumps(content, ensure_ascii=False, indent=2) + "\n")
        _write(out / "proof.html", page)
        step.answer(content)
    return Proof(str(out / "proof.html"), str(out / "proof.json"), content["digest"], content["ok"])


async def _content(
    database: str, out: Path, *, audit: dict[str, Any], plan: dict[str, Any], verified: dict[str, Any]
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": plan["source"],
        "system": plan["system"],
        "shape": audit["shape"],
        "before": {
            key: audit[key] for key in ("users", "payments", "transactions", "ledger_rows", "credits")
        },
        "plan": {
            key: plan[key]
            for key in ("digest", "truth", "credits", "openings", "kinds", "merged", "evidence_rows")
        },
        "decisions": [_decision(entry) for entry in plan["decisions"]],
        "findings": [_finding(entry) for entry in audit["findings"]],
        "verify": {key: value for key, value in verified.items() if key != "mismatches"}
        | {"mismatches": verified["mismatches"][:EXCEPTIONS_SHOWN_MAX]},
        "files": _digests(out),
    }
    connection = await connect(database)
    async with connection:
        content |= await _journal(connection, plan["system"])
    content["ok"] = bool(verified["ok"] and content["run"]["summary"].get("ok"))
    content["digest"] = hashlib.sha256(canonical(content)).hexdigest()
    return content


def canonical(content: dict[str, Any]) -> bytes:
    """The bytes the proof's hash covers: keys sorted, no blanks, no ``digest``."""
    signed = {key: value for key, value in content.items() if key != "digest"}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def check_proof(path: Path) -> bool:
    """True when the JSON proof at ``path`` is what its own hash says."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return bool(hashlib.sha256(canonical(content)).hexdigest() == content.get("digest"))


def _load(out: Path, name: str) -> dict[str, Any]:
    path = out / f"{name}.json"
    if not path.exists():
        raise MigrationError(
            f"{path} is not there, so nothing can be proven.", hint=f"Run heller migrate {name} first."
        )
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _decision(entry: dict[str, Any]) -> dict[str, Any]:
    kind = FINDING[entry["code"]]
    meaning = kind.choices.get(entry["choice"], "they belong to the user named in decisions.toml")
    who = {
        "row": "decided for this row in decisions.toml",
        "default": "decided in decisions.toml",
        "recommended": "nobody decided: the recommended choice",
    }[entry["decided_by"]]
    return entry | {"meaning": meaning, "who": who, "level": kind.level}


def _finding(entry: dict[str, Any]) -> dict[str, Any]:
    keys = ("code", "level", "count", "credits", "sentence")
    return {key: entry[key] for key in keys} | {"rows": entry["rows"][:FINDING_ROWS_MAX]}


def _digests(out: Path) -> dict[str, str]:
    """SHA-256 of every file that the proof rests on."""
    paths = [out / name for name in ("audit.json", "decisions.toml", "plan.json", "verify.json")]
    backup = out / "backup"
    paths += (
        sorted(backup.iterdir(), key=lambda path: (path.name != MANIFEST, path.name))
        if backup.is_dir()
        else []
    )
    return {str(path.relative_to(out)): _sha256(path) for path in paths if path.is_file()}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


async def _journal(connection: AsyncConnection, system: str) -> dict[str, Any]:
    """The last run and its exceptions, as heller's own journal has them."""
    values = {"system": system, "limit": EXCEPTIONS_SHOWN_MAX}
    run = await (await connection.execute(_RUN, values)).fetchone()
    if run is None or run[4] is None:
        raise MigrationError(
            "No copy was finished, so nothing can be proven.", hint="Run heller migrate copy first."
        )
    run_id, truth, snapshot_at, started_at, finished_at, summary = run
    quarantined = await (await connection.execute(_QUARANTINED, values)).fetchall()
    adjusted = await (await connection.execute(_ADJUSTED, values)).fetchall()
    unclaimed = await (await connection.execute(_UNCLAIMED, values)).fetchall()
    return {
        "run": {
            "id": run_id, "truth": truth, "snapshot_at": snapshot_at.isoformat(), "started_at": started_at.isoformat(),
            "finished_at": finished_at.isoformat(), "seconds": round((finished_at - started_at).total_seconds(), 1),
            "summary": summary,
        },
        "quarantined": {
            "count": quarantined[0][3] if quarantined else 0,
            "rows": [{"table": table, "id": row_id, "reason": reason} for table, row_id, reason, _ in quarantined],
        },
        "adjusted": {
            "count": adjusted[0][5] if adjusted else 0,
            "rows": [
                {"account": account, "by": table, "id": row_id, "delta": delta, "reason": reason}
                for account, table, row_id, delta, reason, _ in adjusted
            ],
        },
        "unclaimed": {
            "count": unclaimed[0][2] if unclaimed else 0,
            "rows": [{"account": account, "posted": posted} for account, posted, _ in unclaimed],
        },
    }  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("heller.migration"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["signed"] = lambda value: f"{value:+,}"
    return environment


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - atomic: a kill leaves the old file or the new one
