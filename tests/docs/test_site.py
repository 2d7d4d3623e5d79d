"""The web site builds without a warning, has every page, and asks no other host for anything."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-b", "html",
         "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "site")],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    for page in (ROOT / "docs").rglob("*.md"):
        built = tmp_path / "site" / page.relative_to(ROOT / "docs").with_suffix(".html")
        text = built.read_text(encoding="utf-8")
        assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)=["'](?:https?:)?//""", text), page


def test_every_readme_of_a_part_is_on_the_site() -> None:
    included = {
        (page.parent / name).resolve()
        for page in (ROOT / "docs" / "domains").glob("*.md")
        for name in re.findall(r"\{include\} (\S+)", page.read_text(encoding="utf-8"))
    }
    data = {"vendor", "live_export", "fonts"}
    parts = {path for path in (ROOT / "src").rglob("README.md") if path.parent.name not in data}
    assert parts <= included
