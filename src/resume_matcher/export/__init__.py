"""A result as a file to take along."""

from collections.abc import Callable
from dataclasses import dataclass

from resume_matcher.export import pdf, word
from resume_matcher.export.report import Gettext, report_of
from resume_matcher.store import Analysis
from resume_matcher.words import Words


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how browsers call it, and who writes it."""

    media_type: str
    write: Callable[..., bytes]

    def make(self, analysis: Analysis, words: Words, gettext: Gettext) -> bytes:
        """The file of a finished analysis."""
        return self.write(report_of(analysis, words, gettext))


FORMATS = {
    "pdf": Format("application/pdf", pdf.write),
    "docx": Format("application/vnd.openxmlformats-officedocument.wordprocessingml.document", word.write),
}
