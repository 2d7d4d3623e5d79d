"""What every part of the demo needs: databases, folders, headings."""

import shutil
from pathlib import Path

import psycopg
from psycopg import sql
from rich.markup import escape

from heller import embedded
from heller.cli import output


def fresh(server: embedded.EmbeddedServer, name: str, *, template: str = "template1") -> str:
    """A new database of that name, in place of an older one."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return server.database_url(name)


def empty(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def say(title: str, rest: str) -> None:
    """The heading of a step."""
    output.out.print(f"\n[bold]{title}[/]: {escape(rest)}", markup=True)
