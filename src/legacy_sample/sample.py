"""Builds a legacy database in one transaction: tables, planted cases, the crowd, keys, truth."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psycopg

from legacy_sample import crowd, kinds, planted, schema
from legacy_sample.case import Case, Desk
from legacy_sample.judge import judge
from legacy_sample.layout import choose
from legacy_sample.model import LegacySampleError, Rows, Summary
from legacy_sample.tables import Writer

USERS_MAX: Final = 50_000_000
CASES_PER_WRITE: Final = 500
Progress = Callable[[str, int, int], None]


async def build(
    url: str,
    *,
    shape: str,
    users: int,
    seed: int,
    clean: bool = False,
    truth: Path | None = None,
    id_type: str | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Fill the database at ``url`` with a legacy system of ``users`` user rows; all of it or nothing.

    The content depends on ``shape``, ``users``, ``seed``, ``clean`` and ``id_type`` alone. ``truth``
    receives what was planted. ``progress`` is called with a step, what is done and the total. Raises
    ``LegacySampleError`` for a schema that has tables already, unless ``replace`` allows to drop an
    older sample, and for arguments out of range.
    """
    if not 0 <= users <= USERS_MAX:
        raise LegacySampleError(f"{users} users are out of range", f"Name 0 to {USERS_MAX} users.")
    if not 0 <= seed < crowd.SEED_LIMIT:
        raise LegacySampleError(
            f"seed {seed} is out of range", f"Name a seed from 0 to {crowd.SEED_LIMIT - 1}."
        )
    layout = choose(shape, seed, id_type=id_type)
    planned = [] if clean else kinds.plan(layout, users)
    taken = sum(kind.people * count for kind, count in planned)
    stride = max(1, users // taken) if taken else 1
    desk = Desk(layout, users, numbers=iter(range(stride, stride * taken + 1, stride)))
    known = planted.Planted()
    tell = progress or _silent
    async with open_empty(url, replace=replace) as connection:
        await schema.create_tables(connection, layout)
        writer = Writer(connection, layout)
        await writer.create_stages()
        await _plant(writer, desk, planned, known=known, tell=tell)
        await _gather(writer, desk, users=users, stride=stride, taken=taken, tell=tell)
        tell("keys", 0, 1)
        await schema.create_keys(connection, layout)
        tell("keys", 1, 1)
        summary = await planted.summarise(connection, layout=layout, users=users, planted=known)
        text = (
            await planted.document(connection, layout=layout, summary=summary, planted=known) if truth else ""
        )
    if truth is not None:
        await asyncio.to_thread(truth.write_text, text, encoding="utf-8")
    return summary


@asynccontextmanager
async def open_empty(url: str, *, replace: bool = False) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection in one transaction, on a target schema without tables, set up for loading."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("set local timezone = 'UTC'")
        await connection.execute("set local maintenance_work_mem = '256MB'")
        await connection.execute("set local work_mem = '64MB'")
        await connection.execute("set local client_min_messages = warning")
        await connection.execute("set local jit = off")  # compiling costs more than these queries
        await schema.prepare(connection, replace=replace)
        yield connection


async def _plant(
    writer: Writer,
    desk: Desk,
    planned: list[tuple[kinds.Kind, int]],
    *,
    known: planted.Planted,
    tell: Progress,
) -> None:
    """Plant the cases, a batch at a time, and judge each from its own rows."""
    total = sum(count for _, count in planned)
    batch = Rows()
    for number, case in enumerate(_cases(desk, planned), start=1):
        known.note(judge(case.rows, desk.layout))
        known.learn(case.rows, desk.layout)
        for name in Rows.__slots__:
            getattr(batch, name).extend(getattr(case.rows, name))
        if number % CASES_PER_WRITE == 0 or number == total:
            await writer.write(batch)
            batch = Rows()
            tell("cases", number, total)


def _cases(desk: Desk, planned: list[tuple[kinds.Kind, int]]) -> Iterator[Case]:
    """The planned cases with their rows, one after the other."""
    for kind, count in planned:
        for _ in range(count):
            case = Case(desk, kind.name)
            kind.plant(case)
            yield case


async def _gather(writer: Writer, desk: Desk, *, users: int, stride: int, taken: int, tell: Progress) -> None:
    """Write the crowd behind the cases: ids go on where theirs ended."""
    offsets = crowd.Offsets(
        payments=desk.payments,
        transactions=desk.transactions,
        admin=desk.admin,
        events=desk.events,
        ledger=desk.ledger,
    )
    async for done in crowd.write(writer, users=users, stride=stride, taken=taken, offsets=offsets):
        tell("users", done, users)


def _silent(step: str, done: int, total: int) -> None:
    """Progress nobody asked for."""
