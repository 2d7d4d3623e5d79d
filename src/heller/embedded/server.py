"""Starting, joining and leaving the server of a folder."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from heller.embedded import binaries, diagnosis, launcher, tuning
from heller.embedded.folder import Folder, Place
from heller.errors import EmbeddedError, InvalidArgument

DATABASE = "heller"
SOCKET_PORT = 5432  # only a part of the socket's name
PORT_MAX = 65_535
WAIT_SECONDS_MAX = launcher.READY_SECONDS_MAX + 30.0
STOP_SECONDS_MAX = launcher.STOP_SECONDS_MAX + 30.0
CONNECT_SECONDS_MAX = 10
POLL_SECONDS = 0.01


class EmbeddedServer:
    """One user's hold on a running server; the server runs while anybody holds it.

    The hold ends with ``stop`` or with the process, however that ends.
    """

    __slots__ = ("_folder", "_place", "_users", "url")

    def __init__(self, folder: Folder, place: Place, *, users: int) -> None:
        self._folder = folder
        self._place = place
        self._users: int | None = users
        self.url = self.database_url(DATABASE)

    @property
    def directory(self) -> Path:
        """The server's folder."""
        return self._folder.path

    def database_url(self, name: str) -> str:
        """The address of a database of this server, which need not exist."""
        return _url(self._folder, self._place, database=name)

    def ensure_database(self, name: str) -> str:
        """The address of a database of this server, created if it does not exist."""
        _create_database(self.url, name)
        return self.database_url(name)

    def stop(self) -> None:
        """Let go of the server. The last one stops it, and returns when it is down, unless it is kept."""
        if self._users is None:
            return
        os.close(self._users)  # not LOCK_UN, which would also free it for a forked child
        self._users = None
        _wait_for_the_end(self._folder)


def start(
    directory: Path,
    *,
    port: int | None = None,
    keep: bool = False,
    temporary: bool = False,
    options: Mapping[str, str] | None = None,
) -> EmbeddedServer:
    """Join the server of a folder, or start it, making the folder if need be. Blocks until it answers.

    ``port``: listen on 127.0.0.1 as well. ``keep``: the server stays when all users have gone, until
    ``stop(directory)``. ``temporary``: a server started by this call removes its folder when it ends.
    ``options``: PostgreSQL settings for a server started by this call. Raises EmbeddedError.
    """
    if port is not None and not 0 < port <= PORT_MAX:
        raise InvalidArgument(
            f"{port} is not a port", argument="port", hint=f"Choose one from 1024 to {PORT_MAX}."
        )
    path = directory.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Folder(path.resolve())
        folder.refuse_strangers()
        return _start(folder, port=port, keep=keep, temporary=temporary, options=dict(options or {}))
    except OSError as error:
        raise diagnosis.of_system(error, path) from error


def _start(
    folder: Folder, *, port: int | None, keep: bool, temporary: bool, options: dict[str, str]
) -> EmbeddedServer:
    """Become a user of the folder's server; only one user at a time looks and starts."""
    users = _lock(folder, "users.lock", shared=True, seconds=STOP_SECONDS_MAX)
    try:
        turn = _lock(folder, "start.lock", seconds=WAIT_SECONDS_MAX)
        try:
            folder.mark()
            found = _join(folder, port=port)
            if isinstance(found, Place):
                place = found
            else:
                place = _launch(folder, found, port=port, temporary=temporary, options=options)
            if keep:
                folder.keep()
        finally:
            os.close(turn)
        return EmbeddedServer(folder, place, users=users)
    except BaseException:
        os.close(users)
        raise


def _lock(folder: Folder, name: str, *, shared: bool = False, seconds: float) -> int:
    """Take a lock that others hold for a while only; EmbeddedError if they do not let go."""
    descriptor = folder.lock(name, shared=shared, seconds=seconds)
    if descriptor is None:
        message = f"another command has been starting or stopping the server of {folder.path} for too long"
        raise EmbeddedError(message, hint=_log_hint(folder))
    return descriptor


def _join(folder: Folder, *, port: int | None) -> Place | int:
    """Where the running server is, or the server lock if there is none.

    A server that is just starting or ending (its user or its launcher was killed) is waited for.
    """
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        lock = folder.lock("server.lock")
        if lock is not None:
            return lock
        place = folder.place()
        if place is not None and _answers(folder, place):
            if port is not None and port != (place.port if place.on_loopback else None):
                now = f"on port {place.port}" if place.on_loopback else "without a port"
                hint = "End the commands that use it, or leave out --port to join it."
                raise EmbeddedError(f"the server of {folder.path} is running already, {now}", hint=hint)
            return place
        time.sleep(POLL_SECONDS)
    raise EmbeddedError(f"the server of {folder.path} is running but does not answer", hint=_log_hint(folder))


def _launch(
    folder: Folder, lock: int, *, port: int | None, temporary: bool, options: dict[str, str]
) -> Place:
    """Start a launcher, hand it the server lock, and wait until the server answers."""
    try:
        found = binaries.find()
        folder.refuse_other_version(found.major)
        folder.end_keep()  # it was said of a server that is gone
        place = Place(folder.make_socket_directory(), port or SOCKET_PORT, on_loopback=port is not None)
        folder.set_place(place)
        settings = tuning.options() | {
            "listen_addresses": "127.0.0.1" if place.on_loopback else "",
            "port": str(place.port),
            "unix_socket_directories": place.socket_directory,
            "unix_socket_permissions": "0700",
        }
        request = {
            "directory": str(folder.path),
            "install": str(found.folder),
            "version": found.version,
            "socket_directory": place.socket_directory,
            "password": folder.password(),
            "options": settings | options,
            "temporary": temporary,
        }
        answer = _ask_launcher(folder, request, lock=lock)
    finally:
        os.close(lock)
    if "failed" in answer:
        raise diagnosis.of_output(answer["output"], folder.path, stage=answer["failed"], port=place.port)
    if not _answers(folder, place):
        raise EmbeddedError(
            f"the server of {folder.path} started but does not answer", hint=_log_hint(folder)
        )
    return place


def _ask_launcher(folder: Folder, request: dict[str, object], *, lock: int) -> dict[str, str]:
    """Run the launcher and return its answer; it goes on living as nobody's child."""
    answers, reply = os.pipe()
    with open(answers, encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, not a path
        try:
            with os.fdopen(folder.open_log(), "ab") as log:
                subprocess.run(  # noqa: S603 - our own script
                    [sys.executable, "-I", "-S", launcher.__file__],
                    input=json.dumps(request | {"lock_descriptor": lock, "reply_descriptor": reply}).encode(),
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock, reply),
                    start_new_session=True,
                    cwd="/",
                    check=False,
                )
        finally:
            os.close(reply)
        text = stream.read()
    try:
        return dict(json.loads(text))
    except ValueError:
        return {"failed": "launcher", "output": f"the launcher was ended: {text}"}


def _url(folder: Folder, place: Place, *, database: str) -> str:
    """The address, whole, so that PGHOST and PGPORT of the caller change nothing."""
    name = quote(database, safe="")
    user = f"postgresql://heller:{quote(folder.password(), safe='')}"
    if place.on_loopback:
        return f"{user}@127.0.0.1:{place.port}/{name}"
    return f"{user}@/{name}?host={quote(place.socket_directory)}&port={place.port}"


def _answers(folder: Folder, place: Place) -> bool:
    """Whether the server takes a connection to the database heller, which is made if it is missing."""
    url = _url(folder, place, database=DATABASE)
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS_MAX).close()
    except psycopg.OperationalError as error:  # a refused connection has no error code, only words
        said = str(error)
        if f'database "{DATABASE}" does not exist' in said:
            _create_database(_url(folder, place, database="postgres"), DATABASE)
            return True
        if "password authentication failed" in said:
            hint = f"Give the role heller the password in {folder.path / 'heller.json'} again."
            raise EmbeddedError(f"the password of {folder.path} was changed", hint=hint) from error
        return "too many clients" in said or "connection slots are reserved" in said
    return True


def _create_database(url: str, name: str) -> None:
    """Create a database unless it is there, also when two do so at once."""
    statement = sql.SQL("create database {}").format(sql.Identifier(name))
    duplicate = (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
    connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX)
    with connection, contextlib.suppress(*duplicate):
        connection.execute(statement)


def _wait_for_the_end(folder: Folder) -> bool:
    """Wait until the server is down; false at once when it is kept or in use by others.

    Nobody at the users lock means that the launcher has not looked yet; someone who does not even
    share it is the launcher, stopping.
    """
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while folder.is_locked("server.lock"):
        if folder.is_kept:
            return False
        if folder.is_locked("users.lock") and not folder.is_locked("users.lock", exclusively=True):
            return False
        if time.monotonic() > deadline:
            raise EmbeddedError(f"the server of {folder.path} does not stop", hint=_log_hint(folder))
        time.sleep(POLL_SECONDS)
    return True


def stop(directory: Path) -> bool:
    """Stop a server that was kept, and wait until it is down; false if others use it, who end it then."""
    folder = Folder(directory.expanduser().absolute().resolve())
    try:
        if not (folder.path / "heller.json").exists():
            raise EmbeddedError(
                f"{folder.path} is not a folder of heller's", hint="Name the folder given to --embedded."
            )
        folder.end_keep()
        return _wait_for_the_end(folder)
    except OSError as error:
        raise diagnosis.of_system(error, folder.path) from error


@contextmanager
def running(
    directory: Path | None = None, *, port: int | None = None, options: Mapping[str, str] | None = None
) -> Iterator[EmbeddedServer]:
    """A server for the length of a block; without a folder, in a temporary one that is removed."""
    path = directory or Path(tempfile.mkdtemp(prefix="heller-"))
    try:
        server = start(path, port=port, options=options, temporary=directory is None)
        try:
            yield server
        finally:
            server.stop()
    finally:
        if directory is None:
            shutil.rmtree(path, ignore_errors=True)


def _log_hint(folder: Folder) -> str:
    return f"The server's log is {folder.path / 'server.log'}"
