"""What is promised of heller holds on the PostgreSQL that a distribution brings, with the settings it comes with.

The embedded server is one release, tuned. A planner that compiles, another encoding of what is off, a function that came later:
each of these was once seen by users alone.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stock_server

TESTS = Path(__file__).parents[1]
PROVED_THERE = (
    "sql/test_ledger_machine.py",
    "sql/test_recurring_grants.py",
    "sql/test_order_of_time.py",
    "sql/test_schema.py",
    "integration/test_migration_run.py::test_the_live_export_ends_with_one_purchase_one_opening_and_200_credits",
    "integration/test_migration_taken_up.py::test_a_copy_writes_what_the_plan_prepared_and_clears_it_away",
    "integration/test_handover_moves.py::test_handed_over_account_looks_as_a_copied_one",
)
EXAMPLES = 10  # of the state machine


@pytest.mark.slow
@pytest.mark.skipif(stock_server.programs() is None, reason="no PostgreSQL on this machine: make test-tools")
def test_the_ledger_and_a_migration_on_a_server_as_it_comes() -> None:
    with stock_server.running() as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *(str(TESTS / name) for name in PROVED_THERE)],
            env={**os.environ, "HELLER_TEST_DATABASE_URL": url, "HELLER_TEST_EXAMPLES": str(EXAMPLES)},
            cwd=TESTS.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
