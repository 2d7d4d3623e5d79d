"""The README's sessions, executed as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPECTED_CODES = {"audit": 3}  # a messy source has findings


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(block: str) -> list[list[str]]:
    lines = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line, comments=True) for line in lines]


def test_legacy_session_ends_with_a_verified_ledger(
    empty_database: str, second_database: str, tmp_path: Path
) -> None:
    (session,) = [block for block in blocks("console") if "migrate run" in block]
    environment = os.environ | {"LEGACY_DATABASE_URL": empty_database, "DATABASE_URL": second_database}
    ran = [command for command in commands(session) if command[0] == "heller"]
    assert len(ran) == 6
    for command in ran:
        arguments = [
            os.path.expandvars(part) if "$" not in part else environment[part.strip("$")]
            for part in command[1:]
        ]
        done = subprocess.run(
            [sys.executable, "-m", "heller.cli.main", *arguments],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        code = EXPECTED_CODES.get(arguments[1] if len(arguments) > 1 else "", 0)
        assert done.returncode == code, (command, done.stdout, done.stderr)
    assert "posted" in done.stdout


def test_library_example_runs(heller_database: str, tmp_path: Path) -> None:
    (program,) = [block for block in blocks("python") if "asyncio.run" in block]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"DATABASE_URL": heller_database}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1000 78\n"


def test_make_targets_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_linked_files_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link
