"""Two hundred small broken databases: what each user owned is what each user owns."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from heller.migration import run
from legacy_sample import build

SEEDS = 200
SEEDS_A_TEST = 40
USERS = 60
SHAPES = ("production", "documented", "drifted", "drifted")
AT_ONCE = 2


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture
def pool_of_databases(server_url: str, heller_template: str) -> Iterator[list[tuple[str, str]]]:
    """For each of the seeds at work one database for the source; the target is made anew for each seed."""
    names = [f"seeds_{uuid4().hex[:12]}" for _ in range(AT_ONCE)]
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield [(with_database(server_url, name), f"{name}_target") for name in names]
        for name in names:
            for database in (name, f"{name}_target"):
                connection.execute(
                    sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database))
                )
    del heller_template


async def migrate(seed: int, source: str, target: str, *, folder: Path) -> list[str]:
    """Build, migrate, and compare one seed; answers what is wrong with it."""
    truth_file = folder / f"{seed}.json"
    await build(
        source, shape=SHAPES[seed % len(SHAPES)], users=USERS, seed=seed, truth=truth_file, replace=True
    )
    result = await run(source, target, folder / str(seed), decide="recommended")
    truth = json.loads(truth_file.read_text("utf-8"))
    async with await psycopg.AsyncConnection.connect(target) as connection:
        posted = dict(
            await (await connection.execute("select account_id, posted from heller.accounts")).fetchall()
        )
    wrong = [
        f"seed {seed}, user {user}: {posted.get(user)}, not {account}"
        for user, account in truth["accounts"].items()
        if posted.get(user) != (account["history_sum"] if account["balance"] is None else account["balance"])
    ]
    counts = truth["rows"]
    rows = sum(
        counts.get(table, 0)
        for table in ("users", "stripe_customers", "payments", "credit_transactions", "credit_ledger")
    )
    if result.copied.copied + result.copied.quarantined != rows or not result.ok:
        wrong.append(f"seed {seed}: {result.as_json()}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
async def test_planted_truth_is_migrated_truth_for_two_hundred_seeds(
    first: int,
    server_url: str,
    heller_template: str,
    pool_of_databases: list[tuple[str, str]],
    tmp_path: Path,
) -> None:
    seeds = iter(range(first, first + SEEDS_A_TEST))
    wrong: list[str] = []

    async def work(source: str, name: str) -> None:
        async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
            for seed in seeds:
                target = sql.Identifier(name)
                await connection.execute(sql.SQL("drop database if exists {} with (force)").format(target))
                await connection.execute(
                    sql.SQL("create database {} template {} strategy file_copy").format(
                        target, sql.Identifier(heller_template)
                    )
                )
                wrong.extend(await migrate(seed, source, with_database(server_url, name), folder=tmp_path))

    await asyncio.gather(*(work(source, name) for source, name in pool_of_databases))
    assert wrong == []
