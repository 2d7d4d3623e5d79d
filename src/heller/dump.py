"""PostgreSQL's own dump programs, run on a database; one instant shared with them; digests of what they wrote."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from heller import embedded, pooler
from heller.database import lift_limits, translating
from heller.errors import DatabaseError

CHUNK_BYTES = 1 << 20


@asynccontextmanager
async def snapshot(connection: AsyncConnection) -> AsyncIterator[str]:
    """One instant of the database, which other connections can share for as long as the block lasts."""
    with translating():
        await lift_limits(connection)  # it waits in a transaction for as long as the dump takes
    await connection.set_autocommit(False)
    try:
        with translating():
            await connection.execute("set transaction isolation level repeatable read, read only")
            row = await (await connection.execute("select pg_export_snapshot()")).fetchone()
            if row is None:
                raise AssertionError  # it always answers
            yield str(row[0])
    finally:
        await connection.rollback()
        await connection.set_autocommit(True)


async def run(program: str, url: str, connection: AsyncConnection, arguments: Sequence[str]) -> None:
    """Run pg_dump or pg_restore on a database, to which ``connection`` is one of ours.

    The password goes by the environment: others on the machine see arguments.

    Raises:
        SettingsError: a pooler in transaction mode is between; the program's settings would stay with somebody else.
        DatabaseError: it failed, with what it said.
    """
    await pooler.require_session(connection, url, what=program)
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    environment = os.environ | {"PGPASSWORD": parts.pop("password", os.environ.get("PGPASSWORD", ""))}
    process = await asyncio.create_subprocess_exec(
        _program(program, connection.info.server_version // 10_000),
        f"--dbname={make_conninfo('', **parts)}",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise DatabaseError(
            f"{program} failed: {said.decode(errors='replace').strip() or f'it ended with {process.returncode}'}",
            hint="It needs the owner's URL and a program at least as new as the server.",
        )


def _program(name: str, server_major: int) -> str:
    """The wheel's program, or PATH's where the server is newer than the wheel."""
    own = embedded.program(name)
    other = shutil.which(name)
    return other if server_major > embedded.major() and other is not None else str(own)


def digest_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
