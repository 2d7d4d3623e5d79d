"""``heller demo`` as a stranger runs it."""

import json
import subprocess
import sys
from pathlib import Path


def test_demo_ends_with_a_proof_and_finds_the_tampered_row(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "heller.cli.main", "demo", "--users", "60"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The guard refuses: rows of heller.transactions are never changed or removed" in done.stdout
    assert "verify: account" in done.stdout
    assert (tmp_path / "demo" / "legacy" / "proof.html").stat().st_size > 5_000
    export = json.loads((tmp_path / "demo" / "export" / "proof.json").read_text(encoding="utf-8"))
    assert export["before"]["credits"] == {"balance": 200, "transactions": 100, "ledger": 0}
