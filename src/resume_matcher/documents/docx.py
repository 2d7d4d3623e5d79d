"""DOCX by python-docx: paragraphs and tables in their order. The archive is measured before it is opened."""

import io
import zipfile
import zlib
from collections.abc import Iterator

import docx
from docx.document import Document
from docx.opc.exceptions import OpcError
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml.etree import LxmlError

from resume_matcher.errors import UnreadableDocument

UNPACKED_BYTES_MAX = 60 * 1024 * 1024
PART_BYTES_MAX = 20 * 1024 * 1024
PARTS_MAX = 1_000
PARAGRAPHS_MAX = 20_000
_HEADING_STYLES = ("heading", "überschrift")


def text_of(data: bytes) -> str:
    """The text, headings with '# ' before them.

    Raises:
        UnreadableDocument: no DOCX, protected, damaged, or an archive that unpacks beyond all bounds.
    """
    try:
        _measure(data)
        return "\n".join(_lines(docx.Document(io.BytesIO(data))))
    except (zipfile.BadZipFile, zlib.error, OpcError, LxmlError, KeyError, ValueError, OSError) as error:
        raise UnreadableDocument(
            f"The DOCX is damaged: {str(error)[:120] or type(error).__name__}.",
            hint="Open it, save it once more, and upload that.",
            reason="damaged",
        ) from error


def _measure(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > PARTS_MAX:
            raise UnreadableDocument(f"The DOCX has {len(parts):,} parts.", reason="zip_bomb")
        total = sum(part.file_size for part in parts)
        largest = max(
            (part.file_size for part in parts if part.filename.endswith((".xml", ".rels"))), default=0
        )
        if total > UNPACKED_BYTES_MAX or largest > PART_BYTES_MAX:
            raise UnreadableDocument(
                f"The DOCX unpacks to {total / 1_048_576:,.0f} MB; at most {UNPACKED_BYTES_MAX // 1_048_576} MB "
                f"(text {PART_BYTES_MAX // 1_048_576} MB) are read.",
                hint="Remove the pictures, or paste the text into a new file.",
                reason="zip_bomb",
            )
        if any(part.flag_bits & 1 for part in parts):
            raise UnreadableDocument(
                "The file is protected by a password.", hint="Save a copy without it.", reason="password"
            )
        if "word/document.xml" not in {part.filename for part in parts}:
            raise UnreadableDocument(
                "This archive is no Word document.",
                hint="Upload PDF, DOCX, Markdown or text.",
                reason="unknown_kind",
            )


def _lines(document: Document) -> Iterator[str]:
    count = 0
    for block in document.iter_inner_content():
        for paragraph in _paragraphs(block):
            count += 1
            if count > PARAGRAPHS_MAX:
                raise UnreadableDocument(
                    f"The DOCX has more than {PARAGRAPHS_MAX:,} paragraphs.", reason="too_long"
                )
            yield from _of_paragraph(paragraph)


def _paragraphs(block: Paragraph | Table) -> Iterator[Paragraph]:
    if isinstance(block, Paragraph):
        yield block
        return
    for row in block.rows:
        seen: set[int] = set()
        for cell in row.cells:
            if id(cell._tc) in seen:  # noqa: SLF001  # merged cells come once for each column; the public API cannot tell
                continue
            seen.add(id(cell._tc))  # noqa: SLF001  # as above
            yield from cell.paragraphs


def _of_paragraph(paragraph: Paragraph) -> Iterator[str]:
    text = paragraph.text
    if not text.strip():
        yield ""
        return
    style = (paragraph.style.name or "").lower() if paragraph.style is not None else ""
    if style.startswith(_HEADING_STYLES):
        yield f"# {text.strip()}"
    elif "list" in style or "aufzählung" in style:
        yield from (f"- {line.strip()}" for line in text.split("\n") if line.strip())
    else:
        yield text
