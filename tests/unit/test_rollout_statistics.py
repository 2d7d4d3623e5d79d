"""The figures of the card, exact where they are arithmetic and simulated (seeded) where they are chances."""

import random
import statistics

import pytest

from heller.rollout.statistics import Evidence, Rates, cohort_mismatch, weigh, wilson

RATES = Rates()


def test_steps_and_limits_are_those_of_the_card():
    assert (round(RATES.step_failed, 3), round(RATES.step_good, 4)) == (1.609, -0.0412)
    assert (round(RATES.upper, 3), round(RATES.lower, 3)) == (4.554, -2.986)


@pytest.mark.parametrize(("errors", "within"), [(3, 9), (4, 49), (5, 89), (6, 129), (7, 169)])
def test_breach_table_of_the_card(errors, within):
    llr = errors * RATES.step_failed + (within - errors) * RATES.step_good
    more = errors * RATES.step_failed + (within + 1 - errors) * RATES.step_good
    assert llr >= RATES.upper > more


@pytest.mark.parametrize(("errors", "needed"), [(0, 73), (1, 113), (2, 153), (3, 193)])
def test_pass_table_of_the_card(errors, needed):
    def llr(n):
        return errors * RATES.step_failed + (n - errors) * RATES.step_good

    assert llr(needed) <= RATES.lower < llr(needed - 1)


def test_two_failures_never_breach():
    assert weigh([True, True], RATES).decided == "undecided"
    assert weigh([True, True, True], RATES).decided == "breach"


def _rollouts(rate: float, *, count: int, requests: int, seed: int) -> list[tuple[str, int]]:
    chance = random.Random(seed)
    ends = []
    for _ in range(count):
        evidence = Evidence()
        while evidence.decided == "undecided" and evidence.n < requests:
            evidence = evidence.after(failed=chance.random() < rate, rates=RATES)
        ends.append((evidence.decided, evidence.n))
    return ends


@pytest.mark.parametrize(("rate", "false_rollbacks_max"), [(0.005, 0.002), (0.01, 0.015)])
def test_healthy_release_is_hardly_ever_rolled_back(rate, false_rollbacks_max):
    ends = _rollouts(rate, count=4_000, requests=1_000, seed=5)
    assert sum(decided == "breach" for decided, _ in ends) / len(ends) <= false_rollbacks_max
    assert sum(decided == "pass" for decided, _ in ends) / len(ends) >= 0.98


@pytest.mark.parametrize(
    ("rate", "median_max", "detected_min"), [(0.05, 125, 0.93), (0.10, 48, 0.99), (0.50, 8, 0.999)]
)
def test_bad_release_is_found_after_few_requests(rate, median_max, detected_min):
    ends = _rollouts(rate, count=2_000, requests=2_000, seed=6)
    found = [n for decided, n in ends if decided == "breach"]
    assert len(found) / len(ends) >= detected_min
    assert statistics.median(found) <= median_max


def test_threshold_on_a_point_estimate_rolls_back_healthy_releases():
    """The plan's rule (errors > 5 %) on the same kind of traffic: what the sequential test is there to avoid."""
    chance = random.Random(7)
    wrong = 0
    for _ in range(1_000):
        failures = 0
        for n in range(1, 501):
            failures += chance.random() < 0.01
            if failures / n > 0.05:
                wrong += 1
                break
    assert wrong / 1_000 > 0.12


def test_drift_after_the_gate_is_noticed_and_a_long_good_time_does_not_hide_it():
    chance = random.Random(8)
    good = weigh([chance.random() < 0.005 for _ in range(5_000)], RATES)
    assert (good.decided, good.drifted) == ("pass", False)
    needed = []
    for _ in range(200):
        evidence, n = good, 0
        while not evidence.drifted:
            evidence, n = evidence.after(failed=chance.random() < 0.10, rates=RATES), n + 1
        needed.append(n)
    assert statistics.mean(needed) < 80


def test_false_alarms_after_the_gate_are_rare():
    chance = random.Random(9)
    alarms = sum(weigh([chance.random() < 0.005 for _ in range(2_000)], RATES).drifted for _ in range(100))
    assert alarms <= 2


def test_cohort_sizes_are_judged_by_chi_square():
    assert cohort_mismatch([10, 90], [100, 900]) == pytest.approx(1.0)
    assert cohort_mismatch([10, 90], [150, 850]) < 0.001
    assert cohort_mismatch([50, 50], [510, 490]) == pytest.approx(0.527, abs=0.001)
    assert cohort_mismatch([25, 25, 25, 25], [27, 23, 26, 24]) == pytest.approx(0.9402, abs=0.001)
    assert cohort_mismatch([1, 1, 1], [40, 30, 30]) == pytest.approx(0.3679, abs=0.001)
    assert cohort_mismatch([0, 100], [1, 99]) == 0.0


def test_interval_for_people_covers_the_rate():
    low, high = wilson(5, 100)
    assert low == pytest.approx(0.0215, abs=0.001)
    assert high == pytest.approx(0.1118, abs=0.001)
    assert wilson(0, 0) == (0.0, 1.0)


def test_rates_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="good < bad"):
        Rates(good=0.05, bad=0.01)
