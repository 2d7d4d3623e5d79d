"""The life of an embedded server: started, shared, kept, killed, started again."""

import contextlib
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from heller import embedded
from heller.embedded import launcher as launching

HOLD = """
import sys
from pathlib import Path
from heller import embedded
server = embedded.start(Path(sys.argv[1]), temporary="temporary" in sys.argv)
print(server.url, flush=True)
sys.stdin.read()
server.stop()
"""


class Command:
    """Another process that uses the server of a folder until it is told to end, or is killed."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def processes(folder: Path) -> set[int]:
    """The launcher and all processes of the server: whoever has the server lock open."""
    found = set()
    lock = str(folder / "server.lock")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ends meanwhile
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(link.readlink()) == lock:
                        found.add(int(process.name))
    return found


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it died of the death of another
            os.kill(pid, signal.SIGKILL)


def postmaster(folder: Path) -> int:
    return int((folder / "data/postmaster.pid").read_text().split()[0])


def launcher(folder: Path) -> int:
    return int(Path(f"/proc/{postmaster(folder)}/stat").read_text().rpartition(")")[2].split()[1])


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def remember(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists kept (number int)")
        connection.execute("insert into kept values (%s)", [number])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "postgresql"
    yield path
    kill(*processes(path))  # of a test that failed


def test_stop_returns_when_nothing_is_left_and_nothing_is_lost(folder: Path) -> None:
    server = embedded.start(folder)
    remember(server.url, 7)
    sockets = Path(server.url.partition("?host=")[2].partition("&")[0])
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    server.stop()
    server.stop()  # a second time changes nothing
    assert processes(folder) == set()
    assert not sockets.exists()
    assert not (folder / "data/postmaster.pid").exists()
    with embedded.running(folder) as again:
        assert again.url == server.url
        assert value(again.url, "select number from kept") == 7


def test_settings_are_durable_and_passwords_are_asked(folder: Path) -> None:
    with embedded.running(folder) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert value(server.url, f"show {name}") == "on"
        assert value(server.url, "show listen_addresses") == ""
        assert value(server.url, "select current_user") == "heller"
        assert value(server.url, "show server_encoding") == "UTF8"
        password = json.loads((folder / "heller.json").read_text())["password"]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace(password, "guess"))
    readable = [path.name for path in folder.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert readable == []


def test_server_runs_without_privilege(folder: Path) -> None:
    with embedded.running(folder) as server:
        status = Path(f"/proc/{postmaster(folder)}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert "CapPrm:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("create temp table who (id text)")
            connection.execute("copy who from program 'id -u'")
        assert folder.stat().st_uid == (folder / "data").stat().st_uid == os.geteuid()


def test_environment_of_the_caller_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, setting in {"PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "x", "PGDATABASE": "x"}.items():
        monkeypatch.setenv(name, setting)
    with embedded.running(folder) as server:
        assert value(server.url, "select current_database()") == "heller"


def test_commands_side_by_side_share_one_server(folder: Path) -> None:
    first = Command(folder)
    url = first.url()
    second = Command(folder)
    assert second.url() == url
    pid = postmaster(folder)
    first.end()
    assert value(url, "select 1") == 1, "the second command still uses it"
    assert postmaster(folder) == pid
    second.end()
    assert processes(folder) == set()


def test_commands_that_start_at_once_start_one_server(folder: Path) -> None:
    commands = [Command(folder) for _ in range(4)]
    assert len({command.url() for command in commands}) == 1
    assert (folder / "server.log").read_text().count("starting PostgreSQL") == 1
    for command in commands:
        command.end()
    assert processes(folder) == set()


def test_command_that_comes_while_the_last_one_goes_gets_a_server(folder: Path) -> None:
    server = embedded.start(folder)
    for _ in range(10):
        leaving = Command(folder)
        leaving.url()
        server.stop()
        leaving.process.stdin.close()  # type: ignore[union-attr] # a pipe, as asked for
        server = embedded.start(folder)
        assert value(server.url, "select 1") == 1
        leaving.process.wait()
        leaving.process.stdout.close()  # type: ignore[union-attr]
    server.stop()
    assert processes(folder) == set()


def test_projects_live_side_by_side(tmp_path: Path) -> None:
    with embedded.running(tmp_path / "one") as one, embedded.running(tmp_path / "two") as two:
        remember(one.url, 1)
        assert one.url != two.url
        assert value(two.url, "select to_regclass('kept')") is None


def test_folder_with_a_long_and_odd_name_works(tmp_path: Path) -> None:
    with embedded.running(tmp_path / ("n" * 120) / 'it\'s "mine" äöü $HOME') as server:
        assert value(server.url, "select 1") == 1


def test_kept_server_stays_until_it_is_stopped(folder: Path) -> None:
    server = embedded.start(folder, keep=True)
    pid = postmaster(folder)
    server.stop()
    time.sleep(5 * launching.POLL_SECONDS)  # the launcher has looked for users, and found none
    assert value(server.url, "select 1") == 1
    with embedded.running(folder) as joined:
        assert postmaster(folder) == pid
        assert not embedded.stop(folder), "in use"
        assert value(joined.url, "select 1") == 1
    assert processes(folder) == set()
    embedded.start(folder, keep=True).stop()
    assert value(server.url, "select 1") == 1
    assert embedded.stop(folder)
    assert processes(folder) == set()


def test_keep_ends_with_its_server(folder: Path) -> None:
    embedded.start(folder, keep=True).stop()
    os.kill(launcher(folder), signal.SIGTERM)
    until(lambda: not processes(folder))
    embedded.start(folder).stop()
    assert processes(folder) == set()


def test_temporary_folder_is_removed() -> None:
    with embedded.running() as server:
        assert value(server.url, "select 1") == 1
    assert not server.directory.exists()


def test_temporary_folder_is_removed_when_its_user_is_killed(folder: Path) -> None:
    command = Command(folder, "temporary")
    command.url()
    command.kill()
    until(lambda: not folder.exists())


def test_port_listens_on_loopback_with_the_password(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with embedded.running(folder, port=port) as server:
        assert f"@127.0.0.1:{port}/heller" in server.url
        assert value(server.url, "select inet_server_addr()::text") == "127.0.0.1/32"
        with embedded.running(folder) as joined:
            assert joined.url == server.url


def test_databases_are_named_and_made(folder: Path) -> None:
    with embedded.running(folder) as server:
        name = "old & 'new'/100%"
        assert value(server.ensure_database(name), "select current_database()") == name
        assert server.ensure_database(name) == server.database_url(name)


def test_client_programs_run(folder: Path) -> None:
    with embedded.running(folder) as server:
        command = [str(embedded.program("psql")), "-XAtc", "select 6 * 7", server.url]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"
        dump = subprocess.run([embedded.program("pg_dump"), server.url], capture_output=True, check=True)
        assert b"PostgreSQL database dump complete" in dump.stdout
        subprocess.run([embedded.program("pgbench"), "-i", "-q", server.url], capture_output=True, check=True)


@pytest.mark.parametrize("victim", ["user", "launcher", "postmaster", "everything"])
def test_kill_leaves_nothing_behind_and_nothing_is_lost(folder: Path, victim: str) -> None:
    for number in range(3):
        command = Command(folder)
        url = command.url()
        remember(url, number)
        idle = psycopg.connect(url)
        pids = {
            "user": [command.process.pid],
            "launcher": [launcher(folder)],
            "postmaster": [postmaster(folder)],
            "everything": [command.process.pid, *processes(folder)],
        }[victim]
        kill(*pids)
        until(lambda: not processes(folder))
        with embedded.running(folder) as server:
            assert value(server.url, "select array_agg(number order by number) from kept") == list(
                range(number + 1)
            )
        idle.close()
        command.kill()  # it may have survived, and so would the server it uses
        until(lambda: not processes(folder))


def test_start_right_after_a_kill_waits_for_the_old_server(folder: Path) -> None:
    for _ in range(5):
        server = embedded.start(folder)
        os.kill(launcher(folder), signal.SIGKILL)
        again = embedded.start(folder)  # the old postmaster may answer for a moment yet
        until(lambda: _works(folder))
        server.stop()
        again.stop()
    assert processes(folder) == set()


def _works(folder: Path) -> bool:
    with embedded.running(folder) as server:
        try:
            return value(server.url, "select 1") == 1
        except psycopg.OperationalError:
            return False


def test_kill_during_the_first_start_leaves_a_folder_that_starts(folder: Path) -> None:
    random.seed(1)
    for _ in range(8):
        command = Command(folder)
        time.sleep(random.uniform(0.15, 0.9))  # a moment of the start, which takes some 0.7 s
        kill(command.process.pid, *processes(folder))
        command.kill()
    with embedded.running(folder) as server:
        assert value(server.url, "select current_database()") == "heller"
    assert not (folder / "data.new").exists()


def test_half_made_data_folder_is_made_anew(folder: Path) -> None:
    command = Command(folder)
    until((folder / "data.new/base").exists)
    kill(*processes(folder), command.process.pid)
    command.kill()
    until(lambda: not processes(folder))
    assert not (folder / "data").exists()
    with embedded.running(folder) as server:
        assert value(server.url, "select 1") == 1


def test_user_killed_while_starting_leaves_no_server(folder: Path) -> None:
    command = Command(folder)
    until((folder / "data.new").exists)
    command.kill()
    until(lambda: not processes(folder))
    embedded.start(folder).stop()


def test_stale_pid_file_that_names_a_living_process_is_no_obstacle(folder: Path) -> None:
    embedded.start(folder).stop()
    (folder / "data/postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n1\n5432\n/tmp\n\n1 1\n")
    with embedded.running(folder) as server:
        assert value(server.url, "select 1") == 1


def test_shared_memory_of_a_killed_server_is_freed(folder: Path) -> None:
    embedded.start(folder, keep=True).stop()
    segment = (folder / "data/postmaster.pid").read_text().splitlines()[6].split()[1]
    kill(postmaster(folder), *processes(folder))  # the postmaster first, so that it cannot clean up
    until(lambda: not processes(folder))
    assert segment in _segments()
    embedded.start(folder).stop()
    assert segment not in _segments()


def _segments() -> set[str]:
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}
