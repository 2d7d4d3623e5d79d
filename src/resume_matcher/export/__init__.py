"""A result as a file to take along."""

from collections.abc import Callable
from dataclasses import dataclass

from resume_matcher.export.report import Gettext, Report, report_of
from resume_matcher.store import Analysis
from resume_matcher.words import Words


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how browsers call it, and who writes it."""

    media_type: str
    write: Callable[[Report], bytes]

    def make(self, analysis: Analysis, words: Words, gettext: Gettext) -> bytes:
        """The file of a finished analysis."""
        return self.write(report_of(analysis, words, gettext))


def _pdf(report: Report) -> bytes:
    from resume_matcher.export import pdf  # noqa: PLC0415  # fpdf2 is slow to import, and seldom wanted

    return pdf.write(report)


def _word(report: Report) -> bytes:
    from resume_matcher.export import word  # noqa: PLC0415  # as above

    return word.write(report)


FORMATS = {
    "pdf": Format("application/pdf", _pdf),
    "docx": Format("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _word),
}
