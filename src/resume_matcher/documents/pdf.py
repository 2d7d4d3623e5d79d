"""PDF by pypdf: text only. A page that is a picture has none, and that is said."""

import io
import logging
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from resume_matcher.errors import UnreadableDocument

PAGES_MAX = 30
_CHARACTERS_A_PAGE_MIN = 20
logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it says of damaged files is said by the refusal


def text_of(data: bytes) -> tuple[str, int]:
    """The text and the number of pages.

    Raises:
        UnreadableDocument: protected, damaged, more than PAGES_MAX pages, or scanned.
    """
    try:
        reader = PdfReader(io.BytesIO(data))
        _unlock(reader)
        pages = len(reader.pages)
        if pages > PAGES_MAX:
            raise UnreadableDocument(
                f"The PDF has {pages:,} pages; a resume has at most {PAGES_MAX}.", reason="too_many_pages"
            )
        texts = [page.extract_text() for page in reader.pages]
        if sum(len(text.strip()) for text in texts) < _CHARACTERS_A_PAGE_MIN * max(pages, 1):
            _refuse_textless(reader)
    except UnreadableDocument:
        raise
    except MemoryError:
        raise
    except (
        PyPdfError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
        OSError,
    ) as error:
        raise UnreadableDocument(
            f"The PDF is damaged: {str(error)[:120] or type(error).__name__}.",
            hint="Open it, print it as PDF once more, and upload that.",
            reason="damaged",
        ) from error
    return "\n".join(texts), pages


def _unlock(reader: PdfReader) -> None:
    """An empty password opens files that only forbid printing; any other has to be taken off by the owner."""
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableDocument(
            "The PDF is protected by a password.", hint="Save a copy without the password.", reason="password"
        )


def _refuse_textless(reader: PdfReader) -> None:
    if any(_has_picture(page) for page in reader.pages):
        raise UnreadableDocument(
            "The PDF is a scan: its pages are pictures without text.",
            hint="Export the resume from the program it was written in, or run text recognition over it first.",
            reason="scanned",
        )
    raise UnreadableDocument("There is no text in this PDF.", reason="empty")


def _has_picture(page: Any) -> bool:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    if objects is None:
        return False
    return any(item.get_object().get("/Subtype") == "/Image" for item in objects.get_object().values())
