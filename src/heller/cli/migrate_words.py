"""What a migration found, plans and did, as people read it."""

from typing import Any

from rich.markup import escape

from heller import migration
from heller.cli import output


def print_audit(result: migration.Audit) -> None:
    """The summary and the findings, worst first."""
    totals = result.totals
    output.out.print(f"[bold]{escape(result.source)}[/]  shape {result.shape}", markup=True)
    output.out.print(
        output.table(
            None,
            ("what", "rows>", "credits>"),
            [
                ("users", totals.users, totals.balance),
                ("payments", totals.payments, ""),
                ("transactions", totals.transactions, totals.transaction_credits),
                ("ledger", totals.ledger_rows, totals.ledger_credits),
            ],
        )
    )
    colours = {"blocker": "red", "warning": "yellow", "note": "dim"}
    for finding in result.findings:
        output.out.print(
            f"[{colours[finding.level]}]{finding.level:8}[/] {finding.code}: {escape(finding.sentence)}",
            markup=True,
        )
    if not result.findings:
        output.out.print("[green]Nothing disagrees.[/]", markup=True)


def print_plan(result: migration.Plan) -> None:
    """What will become of the source, in a dozen lines."""
    output.out.print(
        f"{output.counted(result.accounts, 'account')} and {output.counted(result.transactions, 'transaction')} out of "
        f"{output.counted(result.rows, 'source row')}; "
        f"{result.merged:,} merge into others, {result.quarantined:,} are set aside with a reason."
    )
    kinds = [
        (kind, counted.get("count", 0), counted.get("credits", 0)) for kind, counted in result.kinds.items()
    ]
    output.out.print(output.table(None, ("kind", "transactions>", "credits>"), kinds))
    output.out.print(output.table(None, ("total", "credits>"), result.credits.items()))
    output.out.print(f"plan {result.digest}")


def print_outcome(result: dict[str, Any]) -> None:
    """Counts, credits on both sides, mismatches, and where the proof is."""
    counts = [
        name for name in ("accounts", "transactions", "copied", "present", "quarantined") if name in result
    ]
    if result.get("resumed"):
        output.out.print(f"Went on with copy {result['resumed']}, which was stopped.")
    output.out.print(", ".join(f"{result[name]:,} {name}" for name in counts))
    output.out.print(
        f"credits: {result['credits_source']:,} in the source, {result['credits_target']:,} in heller"
    )
    for mismatch in result.get("mismatches", []):
        output.out.print(
            f"account {mismatch['account']}: {mismatch['what']}: source {mismatch['source']}, heller {mismatch['target']}"
        )
    if result.get("proof"):
        output.out.print(f"proof: {result['proof']}")
    output.out.print(
        "[green]Every credit is accounted for.[/]" if result["ok"] else "[red]It does not add up.[/]",
        markup=True,
    )
