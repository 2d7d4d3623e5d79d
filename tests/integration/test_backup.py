"""A backup is whole or none, comes back proven, and says which file or row is wrong."""

import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from heller import Heller, backup, schema, verify
from heller.database import call_many
from heller.errors import IntegrityError, InvalidArgument, SchemaMismatch

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def fill(url: str) -> None:
    async with Heller.connect(url) as heller:
        for account in ("ann", "bob"):
            await heller.open_account(account, user=account)
            await heller.grant(account, 100, cost=500, currency="eur", source="purchase")
            await heller.spend(account, 30, key=f"{account}-1", metadata={"name": "Zoë"})
        await heller.place_hold("ann", 20)


async def test_backup_comes_back_whole_and_spendable(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await fill(heller_database)
    manifest = await backup.backup(heller_database, tmp_path / "b")
    async with Heller.connect(heller_database) as heller:
        await heller.spend("ann", 1)  # after the backup: must not be in it
    result = await backup.restore(tmp_path / "b", empty_database)
    assert result.is_ok, result.as_json()
    assert (result.verification.accounts, result.verification.transactions) == (2, 4)
    assert await schema.verify(empty_database) == []
    async with Heller.connect(empty_database) as heller:
        assert (await heller.spend("ann", 30, key="ann-1", metadata={"name": "Zoë"})).replayed
        assert (await heller.balance("ann")).available == 50
        await heller.spend("bob", 70)
    assert (await verify(empty_database)).is_ok
    connection = await connect(heller_database)
    (shown,) = await call_many(connection, "evidence_of", kind="backup")
    assert shown["detail"]["sha256"] == manifest.dump_sha256
    assert [
        e["ok"] for e in await call_many(await connect(empty_database), "evidence_of", kind="restore")
    ] == [True]


async def test_a_database_that_only_reads_is_backed_up(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await fill(heller_database)
    connection = await connect(heller_database)
    name = connection.info.dbname
    await connection.execute(f"alter database {name} set default_transaction_read_only = on")
    await connection.execute(f"alter database {name} set idle_in_transaction_session_timeout = '300ms'")
    manifest = await backup.backup(heller_database, tmp_path / "b")
    assert (await backup.restore(tmp_path / "b", empty_database)).manifest == manifest


async def test_what_was_spread_over_a_cluster_comes_back_on_one_server(
    heller_database: str, empty_database: str, tmp_path: Path, connect: Connect
) -> None:
    await fill(heller_database)
    connection = await connect(heller_database)
    await connection.execute(
        "create or replace function heller._is_spread() returns boolean language sql immutable as 'select true'"
    )
    await backup.backup(heller_database, tmp_path / "b")
    assert (await backup.restore(tmp_path / "b", empty_database)).is_ok
    row = await (await (await connect(empty_database)).execute("select heller._is_spread()")).fetchone()
    assert row == (False,)
    assert await schema.verify(empty_database) == []


async def test_damage_a_full_target_and_a_newer_backup_are_refused(
    heller_database: str, empty_database: str, tmp_path: Path
) -> None:
    await fill(heller_database)
    folder = tmp_path / "b"
    await backup.backup(heller_database, folder)
    with pytest.raises(InvalidArgument, match="holds a backup already"):
        await backup.backup(heller_database, folder)
    with pytest.raises(InvalidArgument, match="schema heller already"):
        await backup.restore(folder, heller_database)
    written = (folder / backup.MANIFEST).read_text()
    newer = json.loads(written)
    newer["migrations"].append("9999_future.sql")
    (folder / backup.MANIFEST).write_text(json.dumps(newer))
    with pytest.raises(SchemaMismatch, match="9999_future"):
        await backup.restore(folder, empty_database)
    (folder / backup.MANIFEST).write_text(written)
    dump = bytearray((folder / backup.DUMP).read_bytes())
    dump[len(dump) // 2] ^= 1
    (folder / backup.DUMP).write_bytes(dump)
    with pytest.raises(IntegrityError, match="not what the manifest says"):
        await backup.restore(folder, empty_database)
    (folder / backup.MANIFEST).unlink()
    with pytest.raises(InvalidArgument, match="no whole backup"):
        await backup.restore(folder, empty_database)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(InvalidArgument, match="not empty"):
        await backup.backup(heller_database, tmp_path / "mine")


async def test_a_row_that_is_missing_after_the_restore_is_named(
    heller_database: str, empty_database: str, tmp_path: Path
) -> None:
    await fill(heller_database)
    folder = tmp_path / "b"
    await backup.backup(heller_database, folder)
    manifest = json.loads((folder / backup.MANIFEST).read_text())
    manifest["tables"]["holds"] += 1
    (folder / backup.MANIFEST).write_text(json.dumps(manifest))
    result = await backup.restore(folder, empty_database)
    assert (result.is_ok, result.differs) == (False, {"holds": (2, 1)})


async def test_a_backup_that_was_killed_is_none_and_the_next_one_is_whole(
    heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    await fill(heller_database)
    folder = tmp_path / "b"
    command = [sys.executable, "-m", "heller.cli.main", "backup", str(folder), "--database", heller_database]
    connection = await connect(heller_database, autocommit=False)
    await connection.execute("lock table heller.holds in access exclusive mode")  # pg_dump waits for it
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)  # noqa: ASYNC220 - killed below
    looking = await connect(heller_database)
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while not (await (await looking.execute(waiting)).fetchone() or (0,))[0]:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    await connection.rollback()
    with pytest.raises(InvalidArgument, match="no whole backup"):
        backup.read_manifest(folder)
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [*command, "--check", "--json"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["check"]["ok"] is True
    (shown,) = await call_many(looking, "evidence_of", kind="restore_check")
    assert shown["ok"] is True
