"""A real PgBouncer in front of a real PostgreSQL, with the configuration of deploy/."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

CONFIGURATION = Path(__file__).parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"
START_SECONDS_MAX = 10.0
PREPARES_FROM = (1, 21)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Pooler:
    """``direct``: PostgreSQL itself. ``pooled``: in transaction mode. ``session``: in session mode."""

    direct: str
    pooled: str
    session: str


@contextmanager
def running(direct: str) -> Iterator[Pooler]:
    """PgBouncer before the database ``direct`` (127.0.0.1), with as few connections as make clients change them."""
    parts = urlsplit(direct)
    program = shutil.which("pgbouncer")
    assert program is not None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="heller-pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root PgBouncer refuses to run, so somebody else reads this
        users = folder / "userlist.txt"
        users.write_text(f'"{parts.username}" "{parts.password}"\n')
        (folder / "pgbouncer.ini").write_text(_configured(program, direct, port=port, users=users))
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [program, folder / "pgbouncer.ini"], stderr=log, user="nobody" if os.getuid() == 0 else None
            )
        try:
            _wait(process, port, folder / "log")
            yield Pooler(
                direct, _with(direct, port, parts.path), _with(direct, port, f"{parts.path}_session")
            )
        finally:
            process.terminate()
            process.wait()


def _configured(program: str, direct: str, *, port: int, users: Path) -> str:
    """deploy's file with this test's addresses; a setting that an old PgBouncer does not know is left out."""
    parts = urlsplit(direct)
    name = parts.path.removeprefix("/")
    there = f"host=127.0.0.1 port={parts.port} dbname={name}"
    text, changed = re.subn(
        r"^heller = .*$",
        f"{name} = {there}\n{name}_session = {there} pool_mode=session",
        CONFIGURATION.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert changed == 1
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(number) for number in re.findall(r"\d+", said)[:2])
    replaced = {
        "listen_port": f"listen_port = {port}\nunix_socket_dir =\nserver_round_robin = 1",
        "auth_file": f"auth_file = {users}",
        "default_pool_size": "default_pool_size = 4",
    }
    if version < PREPARES_FROM:
        replaced["max_prepared_statements"] = ""
    for setting, line in replaced.items():
        text, changed = re.subn(rf"^{setting} = .*$", line, text, flags=re.MULTILINE)
        assert changed == 1, setting
    return text


def _with(url: str, port: int, path: str) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}", path=path, query=""))


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"PgBouncer did not start: {log.read_text()}")
