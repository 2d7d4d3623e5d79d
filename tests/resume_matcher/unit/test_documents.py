import pytest

import resume_papers as papers
from resume_matcher.documents import FILE_BYTES_MAX, read
from resume_matcher.errors import UnreadableDocument


@pytest.mark.parametrize("make", [papers.pdf, papers.word, str.encode], ids=["pdf", "docx", "text"])
def test_text_of_each_kind_is_read(make):
    text = read(make(papers.GERMAN)).text
    for words in (
        "Jana Köhler",
        "- Entwicklung von Microservices in Go und C#",
        "Hauptstraße 5",
        "Programmiersprachen: Go, C#, C++, R",
    ):
        assert words in text


def test_docx_tables_are_read():
    assert "Klasse B" in read(papers.word(papers.GERMAN)).text


def test_markdown_loses_its_marks():
    text = read(papers.ENGLISH.encode()).text
    assert "Data Engineer at Acme Inc." in text
    assert "- Built pipelines" in text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_text_in_other_encodings_is_read(encoding):
    assert "Köhler" in read(papers.GERMAN.replace("•", "-").encode(encoding)).text


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: b"", "empty"),
        (lambda: b" \n\t ", "empty"),
        (lambda: b"x" * (FILE_BYTES_MAX + 1), "too_large"),
        (papers.scanned_pdf, "scanned"),
        (lambda: papers.long_pdf(3), "empty"),
        (lambda: papers.long_pdf(10_000), "too_many_pages"),
        (lambda: papers.locked_pdf("secret"), "password"),
        (lambda: papers.pdf(papers.GERMAN)[:700], "damaged"),
        (lambda: b"%PDF-1.7 nothing", "damaged"),
        (lambda: papers.word(papers.GERMAN)[:-400], "damaged"),
        (papers.zip_bomb, "zip_bomb"),
        (papers.lying_zip, "damaged"),
        (lambda: b"\xd0\xcf\x11\xe0" + b"\x00" * 900, "old_word"),
        (lambda: b"{\\rtf1 text}", "rtf"),
        (lambda: b"\x89PNG\r\n" + b"\x01" * 99, "image"),
        (lambda: b"<!DOCTYPE html><html><body>my resume</body></html>", "html"),
        (lambda: bytes(range(256)) * 9, "unknown_kind"),
        (lambda: b"I am a cook", "too_short"),
        (lambda: b"Koch mit Erfahrung " * 20_000, "too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_the_reason(make, reason):
    with pytest.raises(UnreadableDocument) as refusal:
        read(make())
    assert refusal.value.reason == reason


def test_a_pdf_with_an_owner_password_only_is_read():
    assert "Jana" in read(papers.locked_pdf("")).text
