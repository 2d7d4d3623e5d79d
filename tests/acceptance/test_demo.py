"""``heller demo`` as a stranger runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONSERVATION = re.compile(
    r"^(?P<when>.+): (?P<legacy>[-\d,]+) in legacy \+ (?P<heller>[-\d,]+) in heller \+ (?P<transit>[-\d,]+) in transit"
    r" = (?P<opening>[-\d,]+) opening \+ (?P<bought>[-\d,]+) bought - (?P<spent>[-\d,]+) spent$",
    re.MULTILINE,
)
STEPS = (
    "before the first move", "10 % at home in heller", "everyone is back", "10 % at home in heller, the gate is passed",
    "50 % at home in heller, the gate is passed", "100 % at home in heller, the gate is passed", "the customers have gone",
)  # fmt: skip


@pytest.mark.slow
def test_demo_ends_with_a_proof_and_moves_everybody_with_nothing_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "heller.cli.main", "demo", "--users", "150"],
        cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The guard refuses: rows of heller.transactions are never changed or removed" in done.stdout
    assert "verify: account" in done.stdout
    assert (tmp_path / "demo" / "legacy" / "proof.html").stat().st_size > 5_000
    export = json.loads((tmp_path / "demo" / "export" / "proof.json").read_text(encoding="utf-8"))
    assert export["before"]["credits"] == {"balance": 200, "transactions": 100, "ledger": 0}
    assert "5.00 of 20.00 EUR refunded: balance 375" in done.stdout
    _check_homes(done.stdout, tmp_path / "demo" / "legacy" / "traffic.jsonl")


def _check_homes(told: str, record: Path) -> None:
    """The second half: the burst went back by itself, every step adds up, and customers have what they were told."""
    assert "rolled back by itself" in told
    steps = {
        step["when"]: {
            name: int(value.replace(",", "")) for name, value in step.groupdict().items() if name != "when"
        }
        for step in CONSERVATION.finditer(told)
    }
    assert tuple(steps) == STEPS
    for when, s in steps.items():
        assert s["legacy"] + s["heller"] + s["transit"] == s["opening"] + s["bought"] - s["spent"], when
    assert steps["everyone is back"]["heller"] == 0
    assert steps["the customers have gone"]["legacy"] == 0
    assert "has exactly what they were told" in told
    entries = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    assert {"spend", "undo", "buy", "sign in"} <= {entry["what"] for entry in entries}
    assert len({entry["way"] for entry in entries if "way" in entry}) == 2
