"""What people read of the guardrails is what the last evaluation kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

from heller.rollout.guardrails import Observation, Weighed
from heller.rollout.limits import Limits
from heller.rollout.reading import guardrails_of, worst
from heller.rollout.state import Rollout

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rollout(verdict: dict[str, Any], **more: Any) -> Rollout:
    plain: dict[str, Any] = {
        "rollout": "home", "state": "running", "stages": (10, 50, 100), "stage": 1, "bucketing": "keyed", "salt": "s",
        "legacy_fallback": False, "soak_seconds": 0, "settings": {}, "verdict": verdict, "breach": None, "reason": "go", "actor": "ann",
        "started_at": NOW, "stage_since": NOW - timedelta(minutes=5), "gate_passed_at": None, "evaluated_at": NOW, "changed_at": NOW,
        "version": 1,
    }  # fmt: skip
    return Rollout(**plain | more)


def weighed(*, good: int, failed: int) -> dict[str, Any]:
    found = Weighed(newest_at=NOW.isoformat(), users=9)
    outcomes = [failed > n for n in range(good + failed)]
    found.add((Observation(n, "heller", "spend", bad, 10, "u") for n, bad in enumerate(outcomes)), Limits())
    return found.as_json()


def states(read: Rollout) -> dict[str, str]:
    return {guardrail.name: guardrail.state for guardrail in guardrails_of(read, now=NOW)}


def test_before_the_first_evaluation_every_guardrail_is_silent() -> None:
    assert set(states(rollout({})).values()) == {"silent"}


def test_enough_good_outcomes_pass_and_too_many_failures_are_the_worst() -> None:
    healthy = {"weighed": weighed(good=80, failed=0), "invariants": {"ok": True, "line": "1 = 1"}}
    assert states(rollout(healthy)) == {
        "invariants": "passed", "errors": "passed", "latency": "passed", "webhooks": "silent", "data": "passed",
    }  # fmt: skip
    ill = rollout({"weighed": weighed(good=10, failed=4)})
    first = worst(guardrails_of(ill, now=NOW))
    assert (first.name, first.state, first.failed, first.outcomes, first.place) == (
        "errors",
        "breach",
        4,
        14,
        1.0,
    )


def test_a_broken_invariant_and_silence_are_breaches() -> None:
    assert states(rollout({"invariants": {"ok": False, "line": "1 = 2"}}))["invariants"] == "breach"
    assert states(rollout({}, breach={"guardrail": "latency"}))["latency"] == "breach"
    assert states(rollout({}, stage_since=NOW - timedelta(hours=1)))["data"] == "breach"
