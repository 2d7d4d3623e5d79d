"""The folder of one embedded server: what is in it, whose it is, and its three locks.

::

    heller.json    marks the folder as heller's; the password (0600)
    data/          PostgreSQL's own folder (data.new/ while it is being made)
    running.json   where the server can be reached
    keep           the server stays when its last user has gone
    server.log     what PostgreSQL says
    users.lock     held shared by each user; exclusively by a launcher that is stopping
    start.lock     held by the one user who is looking, starting or joining
    server.lock    held by the launcher and every process of the server
"""

import fcntl
import json
import os
import secrets
import stat
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from heller.errors import EmbeddedError

FORMAT = 1
LOCK_POLL_SECONDS = 0.01
PRIVATE_FOLDER = stat.S_IFDIR | 0o700
LOG_BYTES_MAX = 10_000_000
BEFORE_THE_MARK = frozenset({"users.lock", "start.lock", "heller.json.new"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a running server listens: always on the socket, on loopback if ``on_loopback``."""

    socket_directory: str
    port: int
    on_loopback: bool


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is heller's, or will be."""

    path: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.path / "data"

    @property
    def is_kept(self) -> bool:
        """Whether the server shall stay without users."""
        return (self.path / "keep").exists()

    def keep(self) -> None:
        """Let the server stay without users."""
        os.close(self.open("keep", os.O_WRONLY))

    def end_keep(self) -> None:
        """Let the server end with its last user."""
        (self.path / "keep").unlink(missing_ok=True)

    def refuse_strangers(self) -> None:
        """EmbeddedError if the folder holds anything and is not marked as heller's."""
        if (self.path / "heller.json").exists():
            return
        strangers = sorted({entry.name for entry in self.path.iterdir()} - BEFORE_THE_MARK)
        if not strangers:
            return
        hint = "Nothing in it was touched. Name a new or an empty folder."
        if "PG_VERSION" in strangers:
            raise EmbeddedError(
                f"{self.path} is a PostgreSQL data folder that heller did not make", hint=hint
            )
        raise EmbeddedError(f"{self.path} is not empty and not heller's (it holds {strangers[0]})", hint=hint)

    def refuse_other_version(self, major: str) -> None:
        """EmbeddedError if the data was written by another major version."""
        path = self.data / "PG_VERSION"
        if not self.data.exists():
            return
        found = path.read_text().strip() if path.exists() else "unknown"
        if found != major:
            hint = f"Dump it with PostgreSQL {found} (pg_dumpall) and load that into a new folder."
            raise EmbeddedError(f"{self.path} belongs to PostgreSQL {found}, installed is {major}", hint=hint)

    def open(self, name: str, flags: int) -> int:
        """Open a file, made if need be, for its owner only; root makes it for the owner of the folder."""
        descriptor = os.open(self.path / name, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
        owner = self.path.stat()
        if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    def _write(self, name: str, content: dict[str, Any]) -> None:
        """Replace a file as a whole, durably, readable by its owner only."""
        with os.fdopen(self.open(f"{name}.new", os.O_WRONLY | os.O_TRUNC), "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        (self.path / f"{name}.new").replace(self.path / name)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            content = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise EmbeddedError(
                f"{self.path / name} is damaged", hint="Restore it from a backup of the folder."
            )
        return content

    def mark(self) -> None:
        """Make the folder heller's, with a password of its own; nothing if it is already."""
        self.refuse_strangers()
        if not (self.path / "heller.json").exists():
            self._write("heller.json", {"format": FORMAT, "password": secrets.token_urlsafe(24)})

    def password(self) -> str:
        """The password of the role heller, made with the folder."""
        content = self._read("heller.json") or {}
        if content.get("format") != FORMAT or not isinstance(content.get("password"), str):
            hint = "It was made by another version of heller; use that one, or another folder."
            raise EmbeddedError(f"{self.path / 'heller.json'} cannot be understood", hint=hint)
        return str(content["password"])

    def place(self) -> Place | None:
        """Where the server was last started, if ever."""
        content = self._read("running.json")
        return Place(**content) if content else None

    def set_place(self, place: Place) -> None:
        """Note where the server will be, before it is started."""
        self._write(
            "running.json",
            {
                "socket_directory": place.socket_directory,
                "port": place.port,
                "on_loopback": place.on_loopback,
            },
        )

    def make_socket_directory(self) -> str:
        """A private folder in /tmp for the socket, the same for each start of this folder.

        Not in XDG_RUNTIME_DIR, which goes away when its user logs out, nor in the folder itself:
        a socket's path has a limit of 107 bytes.
        """
        name = sha256(f"{self.password()} {self.path}".encode()).hexdigest()[:16]
        path = Path("/tmp", f"heller-{name}")  # noqa: S108 - made private below, and checked
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            found = path.lstat()
            if found.st_mode != PRIVATE_FOLDER or os.geteuid() not in {0, found.st_uid}:
                raise EmbeddedError(f"{path} exists and is not private", hint="Remove it.") from None
        return str(path)

    def open_log(self) -> int:
        """Open the log to append to it; a large one is put aside first, over the one before it."""
        log = self.path / "server.log"
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(self.path / "server.log.1")
        return self.open("server.log", os.O_WRONLY | os.O_APPEND)

    def lock(self, name: str, *, shared: bool = False, seconds: float = 0) -> int | None:
        """Take a lock file's lock within that time; the descriptor holds it until it is closed."""
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        descriptor = self.open(name, os.O_RDWR)
        deadline = time.monotonic() + seconds
        try:
            while not _flock(descriptor, operation):
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
                time.sleep(LOCK_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def is_locked(self, name: str, *, exclusively: bool = False) -> bool:
        """Whether someone holds the lock (or holds it so that it cannot even be shared)."""
        try:
            descriptor = os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _flock(descriptor, (fcntl.LOCK_SH if exclusively else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)


def _flock(descriptor: int, operation: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    return True
