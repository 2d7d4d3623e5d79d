"""Every error of the application, as one tree. heller's own errors pass through unchanged.

::

    MatcherError
    ├── UnreadableDocument      the file is no resume that can be read; ``reason`` says why
    ├── UnusableJob             the job text has nothing to match against
    ├── NotFound                no such resume, analysis or application of this user
    ├── InvalidInput            a value that can never be right
    └── WorkFailed              the work process did not finish; ``reason`` says why
        └── WorkTimedOut        it took longer than an analysis may
"""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(eq=False)
class MatcherError(Exception):
    """Base of all: ``message`` says what was wrong, ``hint`` what to do next, ``reason`` is stable for programs."""

    code: ClassVar[str] = "error"

    message: str
    hint: str = field(default="", kw_only=True)
    reason: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UnreadableDocument(MatcherError):
    """The file is no resume that can be read: ``reason`` is empty, scanned, password, too_large, too_many_pages, ..."""

    code = "unreadable_document"


class UnusableJob(MatcherError):
    """The job text has nothing to match against."""

    code = "unusable_job"


class NotFound(MatcherError):
    """There is none, or it belongs to somebody else."""

    code = "not_found"


class InvalidInput(MatcherError):
    """A value that can never be right."""

    code = "invalid_input"


class WorkFailed(MatcherError):
    """The work process did not finish."""

    code = "work_failed"


class WorkTimedOut(WorkFailed):
    """It took longer than an analysis may."""

    code = "work_timed_out"


KINDS: dict[str, type[MatcherError]] = {
    kind.code: kind
    for kind in (UnreadableDocument, UnusableJob, NotFound, InvalidInput, WorkFailed, WorkTimedOut)
}
"""The class of each code, for errors that crossed a process."""
