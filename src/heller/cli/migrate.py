"""``heller migrate``: from a legacy credit database to a proven ledger. Every step can be run again."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from heller import migration
from heller.cli import archive, handover, options, output
from heller.cli.migrate_words import print_audit, print_outcome, print_plan
from heller.errors import InvalidArgument

EXIT_FINDINGS = 3

app = typer.Typer(
    add_completion=False,
    help="From a legacy credit database to a proven ledger.\n\n"
    "run does all steps: audit, backup, plan, copy, verify, proof. Each is a command of its own as well, and each can "
    "be run again: the same input changes nothing, and a step that was killed goes on where it was. The source is "
    "opened read-only.",
    no_args_is_help=True,
)

OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for findings, decisions, plan, backup and proof.")
]
MappingOption = Annotated[
    Path | None,
    typer.Option(
        "--mapping", metavar="FILE", help="TOML that says what the columns mean; 'map' writes a draft."
    ),
]
TruthOption = Annotated[
    Literal["balance", "transactions", "ledger"],
    typer.Option("--truth", help="What a user owns: the user row's balance, or the sum of one history."),
]
DecideOption = Annotated[
    Literal["asked", "recommended"],
    typer.Option(
        "--decide",
        help="asked: stop (exit 4) while decisions.toml has open blockers; recommended: take its advice.",
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a copy that was stopped: by the same truth, from the source as it is now.",
    ),
]
OUT = Path("heller-migration")


@app.command("audit")
def audit(
    source: options.SourceOption,
    out: OutOption = OUT,
    mapping: MappingOption = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Read the source; say what is there and what disagrees.

    Needs no database of heller's.

    Example: heller migrate audit --source "$LEGACY_DATABASE_URL"
    Exit 3: there are findings.
    """
    with (
        options.database_url(database, embedded, scratch=True) as url,
        output.progress(quiet=as_json) as progress,
    ):
        result = options.run(migration.audit(source, url, out, mapping=mapping, progress=progress))
    if as_json:
        output.print_json(result.as_json())
    else:
        print_audit(result)
        output.talk.print(
            f"All rows are in {out / 'audit.json'}, open questions in {out / 'decisions.toml'}."
        )
    if not result.ok:
        raise typer.Exit(EXIT_FINDINGS)


@app.command("backup")
def backup(
    source: options.SourceOption,
    out: OutOption = OUT,
    mapping: MappingOption = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write every credit table as CSV and Parquet.

    In one snapshot, with a manifest of counts, sums and hashes.

    Example: heller migrate backup --source "$LEGACY_DATABASE_URL"
    """
    with (
        options.database_url(database, embedded, scratch=True) as url,
        output.progress(quiet=as_json) as progress,
    ):
        result = options.run(migration.backup(source, url, out, mapping=mapping, progress=progress))
    if as_json:
        output.print_json(result.as_json())
    else:
        output.out.print(output.table(None, ("table", "rows>"), result.tables.items()))
        output.out.print(f"{result.bytes:,} bytes in {result.folder}; manifest {result.digest}")


@app.command("restore-check")
def restore_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A backup folder, with its manifest.json.")],
    as_json: options.JsonOption = False,
) -> None:
    """Read a backup back and compare it with its manifest.

    Example: heller migrate restore-check heller-migration/backup
    Exit 3: something differs.
    """
    result = migration.restore_check(folder)
    if as_json:
        output.print_json(result.as_json())
    else:
        for problem in result.problems:
            output.out.print(problem)
        verdict = "readable and complete." if result.ok else f"{len(result.problems)} problems."
        output.out.print(
            f"{output.counted(result.files, 'file')}, {output.counted(result.rows, 'row')}: {verdict}"
        )
    if not result.ok:
        raise typer.Exit(EXIT_FINDINGS)


@app.command("map")
def draft_map(
    source: options.SourceOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it.")] = Path(
        "mapping.toml"
    ),
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Write over a file that is there, with all that was edited in it."),
    ] = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write a draft of a mapping from the source's catalogue.

    It is to be edited, then given with --mapping.

    Example: heller migrate map --source "$LEGACY_DATABASE_URL" --to mapping.toml
    """
    if to.exists() and not replace:
        raise InvalidArgument(
            f"{to} is there already, perhaps with your corrections.",
            hint="Choose another file with --to, or give --replace.",
            argument="to",
        )
    with options.database_url(database, embedded, scratch=True) as url:
        text = options.run(migration.draft(source, url))
    to.write_text(text, encoding="utf-8")
    if as_json:
        output.print_json({"mapping": str(to)})
    else:
        output.out.print(f"{to} is a draft: read it, correct it, then give it with --mapping {to}.")


@app.command("plan")
def plan(
    source: options.SourceOption,
    out: OutOption = OUT,
    mapping: MappingOption = None,
    truth: TruthOption = "balance",
    decide: DecideOption = "asked",
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say what copy will do, and keep it as plan.json.

    Nothing is touched. What was prepared stays in heller's database, in the
    schema heller_staging, for the copy; the next migrate command clears it.

    Example: heller migrate plan --source "$LEGACY_DATABASE_URL" --decide recommended
    Exit 4: a blocker is undecided (decisions.toml).
    """
    with (
        options.database_url(database, embedded, scratch=True) as url,
        output.progress(quiet=as_json) as progress,
    ):
        result = options.run(
            migration.plan(source, url, out, mapping=mapping, truth=truth, decide=decide, progress=progress)
        )
    if as_json:
        output.print_json(result.as_json())
        return
    print_plan(result)


@app.command("copy")
def copy(
    source: options.SourceOption,
    out: OutOption = OUT,
    mapping: MappingOption = None,
    truth: TruthOption = "balance",
    decide: DecideOption = "asked",
    replan: Annotated[
        bool, typer.Option("--replan", help="Plan anew where the source has changed since.")
    ] = False,
    resume: ResumeOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Copy what plan.json planned.

    What the plan prepared is written if the source is still the same, which
    the source's own server says; otherwise the source is read again.

    Example: heller migrate copy --source "$LEGACY_DATABASE_URL" --decide recommended
    Exit 3: it does not add up.
    Exit 4: a blocker is undecided (decisions.toml).
    Exit 5: the source is not what was planned.
    """
    with (
        options.database_url(database, embedded, apply_schema=True) as url,
        output.progress(quiet=as_json) as progress,
    ):
        result = options.run(
            migration.copy(
                source,
                url,
                out,
                mapping=mapping,
                truth=truth,
                decide=decide,
                replan=replan,
                resume=resume,
                progress=progress,
            )
        )
    _print_outcome(result.as_json(), as_json=as_json)


@app.command("verify")
def verify(
    source: options.SourceOption,
    out: OutOption = OUT,
    mapping: MappingOption = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Read the source again and compare it with heller.

    Row by row and account by account.

    Example: heller migrate verify --source "$LEGACY_DATABASE_URL"
    Exit 3: there is a mismatch.
    """
    with options.database_url(database, embedded) as url, output.progress(quiet=as_json) as progress:
        result = options.run(migration.verify(source, url, out, mapping=mapping, progress=progress))
    _print_outcome(result.as_json(), as_json=as_json)


@app.command("proof")
def proof(
    out: OutOption = OUT,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Check the hash of this proof.json instead."),
    ] = None,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Write proof.html and proof.json.

    What was there, what is here, every exception and who decided it.

    Example: heller migrate proof
    Exit 3: it does not add up, or the proof was changed (--check).
    """
    if check is not None:
        is_whole = _is_whole(check)
        output.print_json({"ok": is_whole}) if as_json else output.out.print(
            "The proof is whole." if is_whole else "The proof was changed after it was written."
        )
        raise typer.Exit(0 if is_whole else EXIT_FINDINGS)
    with options.database_url(database, embedded) as url:
        result = options.run(migration.write_proof(url, out))
    if as_json:
        output.print_json(result.as_json())
    else:
        output.out.print(f"{result.html}\nSHA-256 {result.digest}")
    if not result.ok:
        raise typer.Exit(EXIT_FINDINGS)


def _is_whole(proof_file: Path) -> bool:
    try:
        return migration.check_proof(proof_file)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(
            f"{proof_file} is no proof: {error}",
            hint="Name a proof.json that 'heller migrate proof' wrote.",
            argument="check",
        ) from None


@app.command("run")
def run(
    source: options.SourceOption,
    out: OutOption = OUT,
    mapping: MappingOption = None,
    truth: TruthOption = "balance",
    decide: DecideOption = "asked",
    resume: ResumeOption = False,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Audit, back up, plan, copy, verify and prove, in one go.

    Example: heller migrate run --source "$LEGACY_DATABASE_URL" --decide recommended
    Exit 3: it does not add up.
    Exit 4: a blocker is undecided (decisions.toml).
    """
    with (
        options.database_url(database, embedded, apply_schema=True) as url,
        output.progress(quiet=as_json) as progress,
    ):
        result = options.run(
            migration.run(
                source,
                url,
                out,
                mapping=mapping,
                truth=truth,
                decide=decide,
                resume=resume,
                progress=progress,
            )
        )
    _print_outcome(result.as_json(), as_json=as_json)


def _print_outcome(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(result)
    else:
        print_outcome(result)
    if not result["ok"]:
        raise typer.Exit(EXIT_FINDINGS)


handover.mount(app)


app.command("archive")(archive.archive)
