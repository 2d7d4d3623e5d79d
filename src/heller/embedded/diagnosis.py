"""What PostgreSQL and the kernel say when a server cannot run, in words that help."""

import errno
import re
import shutil
from pathlib import Path

from heller.embedded.binaries import REINSTALL
from heller.errors import EmbeddedError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FULL_WORDS = r"No space left on device|Disk quota exceeded|File too large|File size limit exceeded"


def _free(directory: Path) -> str:
    """How much room the disk of a folder has."""
    try:
        return f" ({shutil.disk_usage(directory).free // 1_000_000} MB free)"
    except OSError:
        return ""


def _full(directory: Path) -> EmbeddedError:
    hint = "Make room (a new folder needs about 60 MB), raise the quota or file size limit, or choose another folder."
    return EmbeddedError(f"the disk of {directory} is full{_free(directory)}", hint=hint)


def of_system(error: OSError, directory: Path) -> EmbeddedError:
    """The error for a failed operation on the folder."""
    if error.errno in FULL:
        return _full(directory)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        where = error.filename or directory
        hint = "Choose a folder of your own, or run the command as the user who made this one."
        return EmbeddedError(f"the folder {directory} is not writable ({where}: {error.strerror})", hint=hint)
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return EmbeddedError(f"{directory} is not a folder", hint="Name a new or an empty folder.")
    return EmbeddedError(f"the folder {directory} cannot be used: {error}", hint="Choose another folder.")


def of_output(output: str, directory: Path, *, stage: str, port: int) -> EmbeddedError:
    """The error for what was printed by the launcher, ``initdb`` or the server before it ended."""
    log = f"The whole story is in {directory / 'server.log'}"
    if stage == "foreign":
        hint = "Stop it with: pg_ctl stop -D " + str(directory / "data")
        return EmbeddedError(f"a server that heller did not start (pid {output}) uses {directory}", hint=hint)
    if re.search(FULL_WORDS, output):
        return _full(directory)
    cases = (
        (
            r"could not bind .*Address already in use",
            f"port {port} is taken",
            "Choose another --port, or none.",
        ),
        (
            r"could not bind .*Permission denied",
            f"port {port} needs root",
            "Choose a port above 1023, or none.",
        ),
        (
            r"could not (?:map|resize|create) .*shared memory|Cannot allocate memory",
            "there is not enough memory for PostgreSQL",
            "Free some memory, or raise the limit of the container.",
        ),
        (r"Exec format error", "the PostgreSQL binaries are for another architecture", REINSTALL),
        (r"error while loading shared libraries: (\S+)", "a system library is missing", REINSTALL),
        (r"database files are incompatible", f"{directory} was made by another build of PostgreSQL", log),
        (r"Read-only file system", f"the folder {directory} is not writable", "Choose another folder."),
        (r"Permission denied", f"the server's user may not use {directory}", "Choose another folder. " + log),
    )
    for pattern, message, hint in cases:
        if found := re.search(pattern, output):
            return EmbeddedError(f"{message}: {found[0]}", hint=hint)
    telling = [line for line in output.splitlines() if re.search(r"\b(FATAL|PANIC|error)\b", line)]
    said = (telling or output.strip().splitlines() or ["it said nothing"])[-1]
    return EmbeddedError(f"PostgreSQL did not start in {directory}: {said}", hint=log)
