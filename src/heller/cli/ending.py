"""How an error ends a command: a sentence, what to do next, and an exit code; nothing of a password in any of them."""

import errno
from typing import Any

import psycopg
import typer
from typer._click.exceptions import ClickException, UsageError  # typer gives no other name to them

from heller import errors
from heller.cli import output
from heller.logs import without_secrets
from heller.settings import settings

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FINDINGS = 3
EXIT_BLOCKED = 4
EXIT_CONFLICT = 5

_FILE_HINTS = {
    errno.ENOENT: "Look at the path.",
    errno.EACCES: "Choose another place, or ask for the right to it.",
    errno.EPERM: "Choose another place, or ask for the right to it.",
    errno.EROFS: "Choose another place: this one can only be read.",
    errno.EEXIST: "Choose another name, or move what is there away.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOTDIR: "Name a folder, not a file.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ENOSPC: "Make room there, then run it again.",
}


def exit_code(error: errors.HellerError) -> int:
    """The exit code that says what kind of end it was."""
    if isinstance(error, errors.UsageError):
        return EXIT_USAGE
    if isinstance(error, errors.DecisionsNeeded):
        return EXIT_BLOCKED
    if isinstance(error, errors.Conflict | errors.StalePlan):
        return EXIT_CONFLICT
    if isinstance(error, errors.IntegrityError):
        return EXIT_FINDINGS
    return EXIT_FAILED


def told(error: Exception, *, as_json: bool) -> int:
    """Print an error: in words, or as JSON; its exit code. Raises BrokenPipeError again: nobody reads."""
    if isinstance(error, BrokenPipeError):
        raise error
    ours = explained(error)
    output.print_error(ours, as_json=as_json)
    return exit_code(ours)


def explained(error: Any) -> errors.HellerError:
    """Any error as one of heller's. One that nobody foresaw is raised again where HELLER_TRACEBACK asks for that."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, errors.HellerError):
        return error
    if isinstance(error, ClickException):
        return _usage(error)
    if isinstance(error, typer.Abort):
        return errors.InvalidArgument("Nobody answered, so nothing was done.", argument="confirm")
    if settings().traceback:
        raise error
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return errors.InvalidArgument(
            "An argument is no valid text in UTF-8.", hint="Write it in UTF-8, as this terminal should."
        )
    if isinstance(error, OSError) and error.filename is not None:
        said = f"{error.filename}: {error.strerror}."
        return errors.HellerError(without_secrets(said), hint=_FILE_HINTS.get(error.errno or 0, ""))
    said = without_secrets(f"{type(error).__name__}: {str(error).strip() or 'without a word'}")
    if isinstance(error, psycopg.Error):
        return errors.DatabaseError(
            f"PostgreSQL did not do it: {said.splitlines()[0].partition(': ')[2]}",
            hint="'heller doctor' looks at the database and its schema.",
        )
    if isinstance(error, OSError):
        return errors.HellerError(f"The operating system did not do it: {said.partition(': ')[2]}.")
    return errors.HellerError(
        f"This is a fault in heller: {said}",
        hint="What was committed stays. Please report it, with what the same command prints after 'export HELLER_TRACEBACK=1'.",
    )


def _usage(error: ClickException) -> errors.HellerError:
    context = error.ctx if isinstance(error, UsageError) else None
    return errors.UsageError(
        error.format_message(), hint=f"Try '{context.command_path} --help'." if context else ""
    )
