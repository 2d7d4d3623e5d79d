"""The files of others that the pages use are those of the table, and nothing is fetched from elsewhere."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

import heller

WEB = Path(heller.__file__).parent / "web"
VENDOR = WEB / "static" / "vendor"
ROW = re.compile(r"^\| `([^`]+)` \| .* \| (?:MIT|0BSD) \| `([0-9a-f]{64})` \|$", re.MULTILINE)
OURS = [*WEB.glob("templates/**/*.html"), *WEB.glob("static/*.js"), *WEB.glob("static/*.css")]


def test_vendored_files_are_those_of_the_table() -> None:
    listed = dict(ROW.findall((VENDOR / "README.md").read_text()))
    here = {p.name: sha256(p.read_bytes()).hexdigest() for p in VENDOR.iterdir() if p.name != "README.md"}
    assert listed == here


@pytest.mark.parametrize("path", OURS, ids=lambda p: p.name)
def test_our_pages_fetch_nothing_from_elsewhere(path: Path) -> None:
    remote = re.findall(
        r"""(?:src|href|url\(|import|fetch\()\s*=?\s*["']?(?:https?:)?//[\w.]""", path.read_text()
    )
    assert remote == []


@pytest.mark.parametrize("path", [p for p in OURS if p.suffix == ".html"], ids=lambda p: p.name)
def test_templates_have_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>", text) == []
    assert re.findall(r"""<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*["']|javascript:""", text) == []
