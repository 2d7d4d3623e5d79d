"""The clients that are made of other files are what those files say now."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = runpy.run_path(str(ROOT / "tests/tools/clients.py"))["files"]()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_made_files_are_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], "run tests/tools/clients.py"
