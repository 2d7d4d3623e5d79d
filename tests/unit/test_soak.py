"""The soak judges by these; the run itself is for hours, not for the suite."""

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The report and the judge."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("soak_report"), importlib.import_module("soak_judge")


def _samples(grows_mb: float) -> list[dict[str, Any]]:
    """Twenty samples, ten seconds apart; one process grows by so much in each."""
    return [
        {
            "at": number * 10.0,
            "rss_mb": {
                "web": 100 + number * grows_mb,
                "worker": 90.0,
                "Stripe's stand-in": 50.0 + number * 9,
            },
            "generation": {"web": 1, "worker": 1 + number // 10},
        }
        for number in range(20)
    ]


@pytest.mark.parametrize(("grows_mb", "flat"), [(0.1, True), (2.0, False)])
def test_memory_that_grows_is_found(modules: tuple[Any, Any], grows_mb: float, flat: bool) -> None:
    found = {one["name"]: one for one in modules[0].memory(_samples(grows_mb))}
    assert found["web"]["judged"]
    assert found["web"]["flat"] is flat
    assert found["web"]["growth_mb"] == pytest.approx(grows_mb * 9, abs=0.01)
    assert not found["worker"]["judged"]  # it was restarted
    assert not found["Stripe's stand-in"]["judged"]


def test_an_acknowledged_spend_that_is_missing_or_there_twice_is_found(modules: tuple[Any, Any]) -> None:
    due = modules[1].Due(spent=Counter({"a": 3, "b": 2}), doubtful=1)
    api_findings = modules[1]._api_findings
    assert api_findings(due, {"a": 3, "b": 2}) == []
    assert api_findings(due, {"a": 3, "b": 3}) == []  # the one that was given up
    assert "missing" in api_findings(due, {"a": 2, "b": 3})[0]
    assert "more than" in api_findings(due, {"a": 4, "b": 3})[0]


def test_the_record_is_read_as_it_was_written(modules: tuple[Any, Any], tmp_path: Path) -> None:
    lines = [
        {"what": "spend", "user": "7", "delta": -10, "way": "legacy application", "ref": "t1"},
        {"what": "buy", "user": "7", "delta": 100, "way": "heller's facade", "ref": "t2"},
        {"what": "spend failed", "user": "7", "credits": 5, "ref": "t3", "why": "500"},
    ]
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = modules[1].read_record(path)
    assert (record.deltas["7"], record.unsure["7"], record.bought, record.spent) == (90, 5, 100, 10)
