"""The report as PDF by fpdf2, in a font that has the letters of European names."""

import logging
from pathlib import Path

from fpdf import FPDF
from fpdf.fonts import FontFace

from resume_matcher.export.report import Report

FONTS = Path(__file__).with_name("fonts")
_MARGIN_MM = 18
_COLOURS = {"met": (27, 110, 60), "partly": (125, 82, 0), "missing": (163, 42, 42)}
_GREY = (91, 102, 117)
_LINE = (214, 219, 226)
logging.getLogger("fpdf").setLevel(
    logging.ERROR
)  # a letter that the font lacks is drawn as a box, not worth a warning
logging.getLogger("fontTools").setLevel(logging.ERROR)


class _Paper(FPDF):
    """A page with its number below."""

    def footer(self) -> None:
        """The number of the page."""
        self.set_y(-14)
        self.set_font("DejaVu", size=8)
        self.set_text_color(*_GREY)
        self.cell(0, 6, f"{self.page_no()} / {{nb}}", align="R")


def write(report: Report) -> bytes:
    """The file."""
    paper = _Paper(format="A4")
    paper.set_title(report.title)
    paper.set_margins(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    paper.set_auto_page_break(auto=True, margin=_MARGIN_MM)
    paper.add_font("DejaVu", "", FONTS / "DejaVuSans.ttf")
    paper.add_font("DejaVu", "B", FONTS / "DejaVuSans-Bold.ttf")
    paper.add_page()
    _text(paper, report.title, size=17, style="B")
    _text(paper, report.subtitle, size=9, colour=_GREY)
    paper.ln(3)
    _text(paper, report.score, size=22, style="B")
    for remark in report.remarks:
        _text(paper, remark, size=9, colour=_GREY)
    for heading, rows in report.parts:
        _heading(paper, heading)
        _table(paper, report, rows)
    for heading, lines in report.advice:
        _heading(paper, heading)
        for line in lines:
            _text(paper, f"•  {line}", size=9.5)
    return bytes(paper.output())


def _table(paper: FPDF, report: Report, rows: object) -> None:
    paper.set_font("DejaVu", size=9)
    paper.set_draw_color(*_LINE)
    headings = FontFace(emphasis="BOLD", color=_GREY)
    with paper.table(
        col_widths=(38, 14, 48),
        text_align="LEFT",
        borders_layout="HORIZONTAL_LINES",
        headings_style=headings,
        line_height=5,
        padding=(1, 2, 1, 0),
    ) as table:
        heading = table.row()
        for text in report.headings:
            heading.cell(text)
        for row in rows:  # type: ignore[attr-defined]  # of Row
            line = table.row()
            line.cell(row.asked)
            line.cell(row.state, style=FontFace(color=_COLOURS[row.state_code]))
            line.cell(row.evidence)


def _heading(paper: FPDF, text: str) -> None:
    paper.ln(4)
    _text(paper, text, size=12, style="B")
    paper.ln(1)


def _text(
    paper: FPDF, text: str, *, size: float, style: str = "", colour: tuple[int, int, int] = (24, 36, 51)
) -> None:
    paper.set_font("DejaVu", style, size)
    paper.set_text_color(*colour)
    paper.multi_cell(0, size * 0.55, text, new_x="LMARGIN", new_y="NEXT", align="L")
    paper.set_text_color(24, 36, 51)
