"""A PostgreSQL as the distribution brings it, with the settings it comes with; heller's own server is newer and tuned."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pooler import free_port

INSTALLED = Path("/usr/lib/postgresql")
USER = "postgres"  # the package makes it; a server does not run as root


def programs() -> Path | None:
    """Where the newest installed server's programs are."""
    found = [folder / "bin" for folder in INSTALLED.glob("*") if (folder / "bin" / "initdb").exists()]
    return max(found, key=lambda programs: int(programs.parent.name), default=None)


@contextmanager
def running() -> Iterator[str]:
    """The URL of a server of its own; but for the disk, of which tests need nothing, all is as ``initdb`` leaves it."""
    where = programs()
    assert where is not None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="heller-stock-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir()
        as_user = [] if os.getuid() else ["runuser", "-u", USER, "--"]
        if as_user:
            shutil.chown(data, USER)
        _run(
            *as_user,
            where / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        control = [*as_user, where / "pg_ctl", "-D", data, "-w"]
        _run(*control, "-l", data / "server.log", "-o", options, "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run(*control, "-m", "immediate", "stop")


def _run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
