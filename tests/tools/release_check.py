"""Build the wheel, install it in a clean place with the locked versions, and run it as a user would.

Needs the package index (or a cache of it), so it is ``make release-check`` and not a test.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
WANTED = (
    "heller/sql/migrations/0001_ledger.sql",
    "heller/sql/schema.sql",
    "heller/py.typed",
    "heller/migration/templates/proof.html.j2",
    "heller/web/templates/base.html",
    "heller/web/static/heller.css",
)


def run(*command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """The output of a command that must end well."""
    sys.stderr.write(f"$ {' '.join(command)}\n")
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{done.stderr}\nexit code {done.returncode}")
    return done.stdout


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(UV, "build", "--quiet", "--out-dir", str(folder / "dist"), folder=ROOT)
        (wheel,) = (folder / "dist").glob("heller-*.whl")
        (source,) = (folder / "dist").glob("heller-*.tar.gz")
        inside = set(zipfile.ZipFile(wheel).namelist())
        if missing := [file for file in WANTED if file not in inside]:
            raise SystemExit(f"The wheel lacks {', '.join(missing)}")
        python = str(folder / "venv" / "bin" / "python")
        run(UV, "venv", "--quiet", str(folder / "venv"), folder=folder)
        locked = str(ROOT / "requirements" / "runtime.txt")
        run(
            UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--require-hashes",
            "-r",
            locked,
            folder=folder,
        )
        run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", str(wheel), folder=folder)
        heller = str(folder / "venv" / "bin" / "heller")
        clean = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        sys.stdout.write(run(heller, "--version", folder=folder, environment=clean))
        script = run(heller, folder=folder, environment=clean | {"_HELLER_COMPLETE": "source_bash"})
        words = {"_HELLER_COMPLETE": "complete_bash", "COMP_WORDS": "heller acc", "COMP_CWORD": "1"}
        if "heller" not in script or "account" not in run(heller, folder=folder, environment=clean | words):
            raise SystemExit("Shell completion does not complete 'heller acc'.")
        if not (folder / "venv" / "share" / "man" / "man1" / "heller.1").exists():
            raise SystemExit("The wheel installs no manual page.")
        demo = run(heller, "demo", "--users", "150", folder=folder, environment=clean)
        if not (folder / "demo" / "legacy" / "proof.html").exists():
            raise SystemExit(demo)
        sizes = ", ".join(f"{file.name} {file.stat().st_size / 1e6:.1f} MB" for file in (wheel, source))
        sys.stdout.write(f"The demo ran to its proof. {sizes}\n")


if __name__ == "__main__":
    main()
