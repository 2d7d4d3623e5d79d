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


@pytest.fixture
def due(modules: tuple[Any, Any]) -> Any:
    """Three spends and a gift that were answered, one credit in doubt, one payment of two lost."""
    due = importlib.import_module("soak_api").Due(
        doubtful=Counter({"b": 1}), lost=Counter({"topped-up-0": 100})
    )
    for account, kind, delta in (("a", "spend", -3), ("b", "spend", -2), ("expiring-0", "grant", 2)):
        due.note(account, kind, delta)
    return due


@pytest.mark.parametrize(
    ("account", "kind", "delta", "says"),
    [
        ("a", "spend", 0, None), ("b", "spend", -1, None), ("a", "spend", 1, "answered were -3"), ("a", "spend", -1, "answered were -3"),
        ("b", "spend", -2, "answered were -2"), ("expiring-0", "expire", 1, "should have expired"),
        ("topped-up-0", "purchase", 100, "for 2 payments"), ("topped-up-0", "clawback", 100, "for 2 payments"),
    ],
)  # fmt: skip
def test_programs_are_answered_for_to_the_credit(
    due: Any, account: str, kind: str, delta: int, says: str | None
) -> None:
    there = {
        "a": Counter(spend=-3), "b": Counter(spend=-2), "expiring-0": Counter(grant=2, expire=-2),
        "topped-up-0": Counter(purchase=200, clawback=-100),
    }  # fmt: skip
    there[account][kind] += delta
    found = importlib.import_module("soak_api").compare(due, there, {"topped-up-0": 2})
    assert [says in one for one in found] == ([] if says is None else [True])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []), ({("spend", "t3"): (1, -5)}, []), ({("spend", "t1"): None}, ["spend t1 of 7"]),
        ({("spend", "t1"): (2, -20)}, ["there as (2, -20)"]), ({("spend", "t3"): (2, -10)}, ["was not answered"]),
        ({("spend", "t9"): (1, -5)}, ["nobody asked"]), ({("purchase", "pi_1"): None}, ["payment pi_1"]),
        ({("purchase", "pi_1"): (2, 200)}, ["payment pi_1"]), ({("purchase", "pi_2"): (1, 60)}, []),
    ],
)  # fmt: skip
def test_each_operation_of_a_customer_is_looked_for_by_name(
    modules: tuple[Any, Any], tmp_path: Path, change: dict[Any, Any], says: list[str]
) -> None:
    operations = importlib.import_module("soak_operations")
    lines: list[dict[str, Any]] = [
        {"what": "spend", "user": "7", "delta": -10, "ref": "t1"}, {"what": "spend failed", "user": "7", "credits": 5, "ref": "t3"},
        {"what": "buy", "user": "7", "delta": 100, "ref": "pi_1"}, {"what": "buy", "user": "7", "delta": 100, "ref": "pi_2"},
        {"what": "money back", "user": "7", "delta": -40, "ref": "pi_2"}, {"what": "undo", "user": "7", "delta": 10, "ref": "t4"},
    ]  # fmt: skip
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    there = {
        ("spend", "t1"): (1, -10),
        ("purchase", "pi_1"): (1, 100),
        ("purchase", "pi_2"): (1, 100),
    } | change
    posted = (
        20
        + 160
        + 10
        + sum(one[1] for (kind, name), one in there.items() if one and kind == "spend" and name != "t9")
    )
    if ("spend", "t1") in change:
        posted = 180  # the balance of the one spend
    found = operations._wrong(
        operations.Customer("7", "", 20),
        operations.read(path)["7"],
        {name: one for name, one in there.items() if one},
        posted,
    )
    assert len(found) >= len(says)
    assert all(any(word in one for one in found) for word in says), found
    assert bool(found) is bool(says), found


def test_the_record_is_read_as_it_was_written(modules: tuple[Any, Any], tmp_path: Path) -> None:
    lines = [
        {"what": "spend", "user": "7", "delta": -10, "way": "legacy application", "ref": "t1"},
        {"what": "buy", "user": "7", "delta": 100, "way": "heller's facade", "ref": "pi_1"},
        {"what": "spend failed", "user": "7", "credits": 5, "ref": "t3", "why": "500"},
    ]
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = modules[1].read_record(path)
    assert (record.deltas["7"], record.unsure["7"], record.bought, record.spent) == (90, 5, 100, 10)
