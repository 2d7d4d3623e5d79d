"""Text: its encoding, and the traces that layouts leave in it."""

import re
import unicodedata

from resume_matcher.errors import UnreadableDocument

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BULLETS = re.compile(r"^[ \t]*[•●▪■◦‣⁃∙·*\-–—➢➤✓✔]+[ \t]+")
_NUMBERED = re.compile(r"^[ \t]*\d{1,2}[.)][ \t]*(?=[^\d\s])")
_LIGATURES = str.maketrans(
    {
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬀ": "ff",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "\u00ad": "",
        "\u00a0": " ",
        "\u200b": "",
        "\ufeff": "",
    }
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HYPHENATED = re.compile(r"(?<=[a-zäöüß])-\n(?=[a-zäöüß])")
_BINARY_SHARE_MAX = 0.02
_LINK = re.compile(r"!?\[([^\]\n]{1,200})\]\((?:[^()\n]{0,500})\)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)([^\n]{1,500}?)(?<=\S)\1")


def decoded(data: bytes) -> str:
    """The text of a file: by its byte order mark, else UTF-8, else Windows-1252.

    Raises:
        UnreadableDocument: it is no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    strange = len(_CONTROL.findall(text)) + text.count("\ufffd")
    if strange > _BINARY_SHARE_MAX * len(text):
        raise UnreadableDocument(
            "This is neither a PDF nor a DOCX nor a text file.",
            hint="Upload the resume as PDF, DOCX, Markdown or text.",
            reason="unknown_kind",
        )
    return text


def clean(text: str) -> str:
    """One form of everything: composed letters, plain spaces, bullets as '- ', words whole again."""
    text = unicodedata.normalize("NFC", text).translate(_LIGATURES)
    text = _CONTROL.sub(
        "", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\v", "\n")
    )
    text = _HYPHENATED.sub("", text)
    return "\n".join(_line(line) for line in text.split("\n")).strip()


def _line(line: str) -> str:
    line = line.rstrip()
    bulleted = _BULLETS.sub("- ", line)
    if bulleted == line:
        bulleted = _NUMBERED.sub("- ", line)
    return re.sub(r"[ ]{4,}|\t+", "   ", bulleted)


def without_markdown(text: str) -> str:
    """Markdown without emphasis, code marks and link targets; headings keep their '#'."""
    return _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text))
