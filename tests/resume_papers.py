"""Resumes and files of every kind, good and bad, made here."""

import io
import zipfile
from pathlib import Path

import docx
from fpdf import FPDF
from PIL import Image
from pypdf import PdfReader, PdfWriter

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")

GERMAN = """Jana Köhler
Senior Softwareentwicklerin
Hauptstraße 5, 50667 Köln
jana.koehler@example.com | +49 221 123456 | github.com/jkoehler

Berufserfahrung
03/2019 – heute   Senior Softwareentwicklerin, Rheinwerk Digital GmbH
• Entwicklung von Microservices in Go und C#
• Kubernetes-Cluster betreut und um 40 % günstiger gemacht
04/2015 – 02/2019   Softwareentwicklerin, Kölner Datenhaus AG
• REST-Schnittstellen mit .NET Core

Ausbildung
2010 – 2015   M.Sc. Informatik, RWTH Aachen

Kenntnisse
Programmiersprachen: Go, C#, C++, R
PostgreSQL

Sprachen
Deutsch (Muttersprache), Englisch (C1)
"""

ENGLISH = """# John Smith
Data Engineer
john@example.org

## Experience

**Data Engineer** at Acme Inc.
Jan 2020 - Present
* Built pipelines with Apache Airflow
* Tuned SQL on PostgreSQL

Junior Analyst
Globex Ltd
June 2017 to December 2019
* Reports in Excel

## Education
B.Sc. Computer Science, University of Leeds, 2017

Skills: Python, SQL, Airflow

## Languages
English (native), German (B1)
"""

JOB = """Senior Backend-Entwickler (m/w/d)

Über uns
Wir arbeiten mit Java und Freude.

Deine Aufgaben
- Entwicklung von Microservices

Dein Profil
- Abgeschlossenes Studium der Informatik
- Mindestens 5 Jahre Berufserfahrung in der Softwareentwicklung
- Sehr gute Kenntnisse in Go, Python oder C#
- Erfahrung mit PostgreSQL und Docker
- Fließend Deutsch, gute Englischkenntnisse
- Terraform von Vorteil

Wir bieten
- Obst und Python-Kurse
"""


def pdf(text: str, *, pages: int = 1) -> bytes:
    document = FPDF()
    document.set_font("Helvetica", size=11)
    for _ in range(pages):
        document.add_page()
        for line in text.split("\n"):
            document.multi_cell(0, 6, line.replace("•", "-").replace("–", "-"), new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


def scanned_pdf() -> bytes:
    picture = io.BytesIO()
    Image.new("L", (400, 600), 200).save(picture, "PNG")
    document = FPDF()
    document.add_page()
    document.image(picture, 10, 10, 150)
    return bytes(document.output())


def locked_pdf(password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(GERMAN))))
    writer.encrypt(password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def long_pdf(pages: int) -> bytes:
    """A PDF of empty pages, written by hand: a library takes seconds for thousands."""
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + pages))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]/MediaBox[0 0 100 100]>>",
    ]
    objects += ["<</Type/Page/Parent 2 0 R>>"] * pages
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, text in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj{text}endobj\n".encode()
    start = len(out)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)


def word(text: str) -> bytes:
    document = docx.Document()
    for line in text.split("\n"):
        if line.startswith("•"):
            document.add_paragraph(line[2:], style="List Bullet")
        else:
            document.add_paragraph(line)
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text = "Führerschein"
    table.cell(0, 1).text = "Klasse B"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def zip_bomb(megabytes: int = 100) -> bytes:
    """A DOCX whose text is mostly blanks."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(word(GERMAN))) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in source.namelist():
            part = source.read(name)
            blown = part + b" " * (megabytes * 1024 * 1024) if name == "word/document.xml" else part
            archive.writestr(name, blown)
    return out.getvalue()


def lying_zip() -> bytes:
    """The same with a directory that says the part is small."""
    bomb = bytearray(zip_bomb(30))
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        size = archive.getinfo("word/document.xml").file_size.to_bytes(4, "little")
    while (at := bomb.find(size)) >= 0:
        bomb[at : at + 4] = (1000).to_bytes(4, "little")
    return bytes(bomb)
