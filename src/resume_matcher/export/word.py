"""The report as DOCX by python-docx."""

import io

import docx
from docx.shared import Pt, RGBColor

from resume_matcher.export.report import Report

_COLOURS = {"met": RGBColor(27, 110, 60), "partly": RGBColor(125, 82, 0), "missing": RGBColor(163, 42, 42)}


def write(report: Report) -> bytes:
    """The file."""
    document = docx.Document()
    document.core_properties.title = report.title
    document.add_heading(report.title, 0)
    document.add_paragraph(report.subtitle)
    score = document.add_paragraph().add_run(report.score)
    score.bold = True
    score.font.size = Pt(20)
    for remark in report.remarks:
        document.add_paragraph(remark)
    for heading, rows in report.parts:
        document.add_heading(heading, 1)
        table = document.add_table(rows=1, cols=len(report.headings), style="Light Grid Accent 1")
        for cell, text in zip(table.rows[0].cells, report.headings, strict=True):
            cell.text = text
        for row in rows:
            asked, state, evidence = table.add_row().cells
            asked.text, evidence.text = row.asked, row.evidence
            state.paragraphs[0].add_run(row.state).font.color.rgb = _COLOURS[row.state_code]
    for heading, lines in report.advice:
        document.add_heading(heading, 1)
        for line in lines:
            document.add_paragraph(line, style="List Bullet")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
