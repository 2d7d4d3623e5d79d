"""One file: what kind it is by its content, its text, or why there is none."""

from dataclasses import dataclass

from resume_matcher.documents import docx, pdf
from resume_matcher.documents.text import clean, decoded, without_markdown
from resume_matcher.errors import UnreadableDocument

FILE_BYTES_MAX = 10 * 1024 * 1024
TEXT_CHARACTERS_MAX = 200_000
WORDS_MIN = 25
_FOREIGN = (
    (
        b"\xd0\xcf\x11\xe0",
        "old_word",
        "This is an old Word file, or one with a password.",
        "Save it as DOCX or PDF, unprotected.",
    ),
    (b"{\\rtf", "rtf", "This is a rich text file (RTF).", "Save it as DOCX or PDF."),
    (b"\x89PNG", "image", "This is a picture.", "Upload the resume as PDF, DOCX or text."),
    (b"\xff\xd8\xff", "image", "This is a picture.", "Upload the resume as PDF, DOCX or text."),
)


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file, one line a line, and how many pages it had (1 where a kind has none)."""

    kind: str
    text: str
    pages: int = 1


def read(data: bytes) -> Document:
    """The text of a PDF, DOCX, Markdown or plain text file; the kind is told by the content, not by the name.

    Raises:
        UnreadableDocument: empty, scanned, protected, damaged, too large, too long, or of another kind.
    """
    if not data.strip():
        raise UnreadableDocument("The file is empty.", reason="empty")
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableDocument(
            f"The file has {len(data) / 1_048_576:.0f} MB; at most {FILE_BYTES_MAX // 1_048_576} MB are read.",
            hint="A resume without large pictures is much smaller.",
            reason="too_large",
        )
    if b"%PDF-" in data[:1024]:
        text, pages = pdf.text_of(data)
        return _checked(Document("pdf", clean(text), pages))
    if data[:4] == b"PK\x03\x04":
        return _checked(Document("docx", clean(docx.text_of(data))))
    for magic, reason, message, hint in _FOREIGN:
        if data.startswith(magic):
            raise UnreadableDocument(message, hint=hint, reason=reason)
    return from_text(decoded(data))


def from_text(text: str) -> Document:
    """A document out of pasted text or a text file, with Markdown's marks taken off.

    Raises:
        UnreadableDocument: too short or too long to be a resume.
    """
    if text.lstrip()[:200].lower().startswith(("<!doctype html", "<html")):
        raise UnreadableDocument("This is a web page.", hint="Print it as PDF first.", reason="html")
    return _checked(Document("text", clean(without_markdown(text))))


def _checked(document: Document) -> Document:
    words = sum(1 for word in document.text.split() if any(map(str.isalpha, word)))
    if words == 0:
        raise UnreadableDocument("There is no text in this file.", reason="empty")
    if words < WORDS_MIN:
        raise UnreadableDocument(
            f"There are only {words} words in this file; a resume has at least {WORDS_MIN}.",
            reason="too_short",
        )
    if len(document.text) > TEXT_CHARACTERS_MAX:
        raise UnreadableDocument(
            f"The text has {len(document.text):,} characters; a resume has at most {TEXT_CHARACTERS_MAX:,}.",
            reason="too_long",
        )
    return document
