"""The first three parts of the demo: two migrations with their proofs, and a tampered row that is found."""

from pathlib import Path

import psycopg
from rich.markup import escape

import legacy_sample
from heller import embedded, migration, schema
from heller import verify as verify_ledger
from heller.cli import options, output
from heller.cli.demo.stage import empty, fresh, say
from heller.cli.migrate_words import print_audit, print_outcome
from heller.errors import IntegrityError

SEED = 7


def export(server: embedded.EmbeddedServer, directory: Path) -> None:
    """The one real user."""
    say("1. The real export", "one user: the page says 0, the history 100, the user row 200")
    source, target = fresh(server, "demo_export"), fresh(server, "demo_export_heller")
    options.run(legacy_sample.load_export(source, legacy_sample.LIVE_EXPORT))
    _migrate(source, target, empty(directory / "export"))


def messy(server: embedded.EmbeddedServer, directory: Path, users: int) -> None:
    """Thousands of made-up users, migrated twice."""
    say("2. A messy legacy database", f"{users:,} users, every kind of mess planted")
    source, target = fresh(server, "demo_legacy"), fresh(server, "demo_heller")
    out = empty(directory / "legacy")
    options.run(
        legacy_sample.build(source, shape="production", users=users, seed=SEED, truth=out / "planted.json")
    )
    _migrate(source, target, out)
    say("Again", "the same run changes nothing")
    again = options.run(migration.run(source, target, out, decide="recommended"))
    print_outcome(again.as_json())


def _migrate(source: str, target: str, out: Path) -> None:
    options.run(schema.apply(target))
    result = options.run(migration.run(source, target, out, decide="recommended"))
    print_audit(result.audit)
    output.out.print(f"backup: {sum(result.backup.tables.values()):,} rows in {result.backup.folder}")
    print_outcome(result.as_json())
    if not result.ok:
        raise IntegrityError(
            "The demo's migration does not add up.", hint="This is a defect: please report it."
        )


def tampering(server: embedded.EmbeddedServer) -> None:
    """A changed row is refused, and found where the guard was off."""
    say(
        "3. Somebody changes history",
        "a superuser switches the guard off and makes one spend 100 credits smaller",
    )
    copy = fresh(server, "demo_tampered", template="demo_heller")
    with psycopg.connect(copy, autocommit=True) as connection:
        try:
            connection.execute("update heller.transactions set delta = delta + 1")
        except psycopg.Error as refusal:
            output.out.print(f"The guard refuses: {str(refusal).splitlines()[0]}")
        connection.execute("alter table heller.transactions disable trigger transactions_append_only")
        connection.execute(
            "update heller.transactions set delta = delta + 100 where (account_id, unit, seq) ="
            " (select account_id, unit, seq from heller.transactions where kind = 'spend'"
            "  order by account_id, unit, seq limit 1)"
        )
    found = options.run(verify_ledger(copy))
    if found.is_ok:
        raise IntegrityError("verify did not see a tampered row.", hint="This is a defect: please report it.")
    for row in found.broken[:3]:
        output.out.print(
            f"[red]verify:[/] account {escape(row['account'])}"
            + (f" transaction {row['seq']}" if row["seq"] is not None else "")
            + f": {row['what']} is {row['found'][:20]}, "
            f"should be {row['expected'][:20]}",
            markup=True,
        )
