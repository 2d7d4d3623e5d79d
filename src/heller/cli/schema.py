"""``heller schema``: bring heller's tables and functions into a database, and check them."""

from typing import Annotated

import typer

from heller import schema
from heller.cli import options, output
from heller.errors import SchemaMismatch

app = typer.Typer(
    add_completion=False, help="heller's tables and functions in the database.", no_args_is_help=True
)


@app.command("plan")
def plan(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say what apply would do, without doing it.

    Example: heller schema plan
    """
    with options.database_url(database, embedded) as url:
        todo = options.run(schema.plan(url))
    if as_json:
        output.print_json(todo.as_json())
    elif todo.is_empty:
        output.out.print("Nothing to do: the schema is up to date.")
    else:
        for file in (*todo.migrations, *todo.objects):
            output.out.print(file.path)


@app.command("apply")
def apply(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    citus: Annotated[
        bool, typer.Option("--citus", help="Spread the tables over a Citus cluster, sharded by account.")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Create or upgrade the schema; run it again at any time.

    Example: heller schema apply
    """
    with options.database_url(database, embedded) as url:
        done = options.run(schema.apply(url, citus=citus))
    if as_json:
        output.print_json(done.as_json())
    else:
        output.out.print(
            "The schema is up to date."
            if done.is_empty
            else f"Applied {len(done.migrations)} migrations and {len(done.objects)} functions and views."
        )


@app.command("verify")
def verify(
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Compare the database's schema with the one brought here.

    Example: heller schema verify
    Exit 3: the schema differs.
    """
    with options.database_url(database, embedded) as url:
        problems = options.run(schema.verify(url))
    if as_json:
        output.print_json({"ok": not problems, "problems": problems})
    elif not problems:
        output.out.print("The schema is as this program brings it.")
    else:
        for problem in problems:
            output.out.print(problem)
    if problems:
        if not as_json:
            raise_hint = SchemaMismatch(
                "The schema differs.", hint="'heller schema apply' applies what is pending."
            )
            output.print_error(raise_hint, as_json=False)
        raise typer.Exit(3)
