"""The planted cases, judged without a database: each kind leads to the findings it promises."""

from collections import Counter
from itertools import count

import pytest

from legacy_sample.case import Case, Desk
from legacy_sample.judge import Names, judge
from legacy_sample.kinds import FULL_SET_USERS, KINDS, Kind, plan
from legacy_sample.layout import ID_TYPES, Layout, choose
from legacy_sample.model import LegacySampleError, Rows
from legacy_sample.schema import render

FIXED = [choose("production", 1), *(choose("documented", 1, id_type=id_type) for id_type in ID_TYPES)]
LAYOUTS = [*FIXED, *(choose("drifted", seed) for seed in range(200))]
ISSUE_CODES = {
    "balance_without_history", "history_differs_from_balance", "ledger_differs_from_balance", "payment_without_transaction",
    "payment_booked_twice", "refund_taken_twice", "refund_not_taken", "unknown_user", "ambiguous_user", "ghost_user",
    "duplicate_email", "duplicate_stripe_customer", "duplicate_event", "negative_balance", "null_balance",
    "estimated_credits", "orphan_transaction",
}  # fmt: skip


def plant(kind: Kind, layout: Layout) -> Rows:
    case = Case(Desk(layout, 1000, numbers=count(7)), kind.name)
    kind.plant(case)
    return case.rows


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kind_leads_to_its_findings_in_every_layout_that_holds_it(kind: Kind) -> None:
    holding = [layout for layout in LAYOUTS if kind.fits(layout)]
    assert holding
    for layout in holding:
        rows = plant(kind, layout)
        codes = {code for code, _ in judge(rows, layout)}
        assert kind.codes <= codes, (layout, codes)
        assert len(rows.users) == kind.people


def test_ordinary_person_has_no_finding() -> None:
    for layout in LAYOUTS:
        case = Case(Desk(layout, 1000, numbers=count(1)), "ordinary")
        person = case.regular()
        case.grant(person, 50, "Bonus")
        refunded = case.pay(person, status="REFUNDED")
        case.book(refunded, to=person)
        case.book(refunded, to=person, delta=-refunded.credits, reason="REFUND")
        case.pay(person, status="FAILED")
        assert judge(case.rows, layout) == set()


def test_kinds_cover_every_code_of_the_audit() -> None:
    assert set().union(*(kind.codes for kind in KINDS)) >= ISSUE_CODES


def test_one_case_of_each_kind_fits_into_fifty_users() -> None:
    for layout in [*LAYOUTS, *(choose("drifted", seed) for seed in range(200, 3000))]:
        planned = plan(layout, FULL_SET_USERS)
        assert {kind.name for kind, _ in planned} == {kind.name for kind in KINDS if kind.fits(layout)}
        assert sum(kind.people * cases for kind, cases in planned) <= FULL_SET_USERS


@pytest.mark.parametrize("users", [0, 1, 2, 7, 49])
def test_small_sample_holds_as_many_kinds_as_fit(users: int) -> None:
    layout = choose("production", 3)
    planned = plan(layout, users)
    used = sum(kind.people for kind, _ in planned)
    left_out = {kind for kind in KINDS if kind.fits(layout)} - {kind for kind, _ in planned}
    assert used <= users
    assert all(kind.people > users - used for kind in left_out)


def test_small_samples_of_many_seeds_hold_every_kind() -> None:
    seen = Counter(kind.name for seed in range(200) for kind, _ in plan(choose("drifted", seed), 6))
    assert seen.keys() == {kind.name for kind in KINDS}


def test_two_hundred_seeds_give_as_many_schemas() -> None:
    assert len({render(choose("drifted", seed), "drifted.sql") for seed in range(200)}) > 150


def test_planting_again_gives_the_same_rows() -> None:
    layout = choose("production", 5)
    for kind in KINDS:
        if kind.fits(layout):
            assert plant(kind, layout) == plant(kind, layout)
            other = choose("production", 6)
            assert plant(kind, layout) != plant(kind, other)


def test_name_of_two_people_is_ambiguous_and_counts_for_neither() -> None:
    layout = choose("production", 1)
    kind = next(kind for kind in KINDS if kind.name == "name_of_two")
    rows = plant(kind, layout)
    name = next(ref for ref in (row.user_ref for row in rows.payments) if ref and ref.startswith("user_"))
    assert Names(rows, layout).resolve(name) == {user.id for user in rows.users}
    assert not [own for code, own in judge(rows, layout) if code == "history_differs_from_balance"]


def test_unexplained_hundred_of_the_live_export_is_found() -> None:
    layout = choose("production", 1)
    case = Case(Desk(layout, 1, numbers=count(1)), "live export")
    person = case.person(email="test@example.com")
    case.book(case.pay(person, status="PAID"), to=person)
    assert judge(case.rows, layout) == set()
    person.row.balance = 200
    assert judge(case.rows, layout) == {("history_differs_from_balance", "1")}


@pytest.mark.parametrize(
    ("shape", "id_type"), [("nonsense", None), ("production", "uuid"), ("documented", "money")]
)
def test_layout_that_does_not_exist_is_refused(shape: str, id_type: str | None) -> None:
    with pytest.raises(LegacySampleError):
        choose(shape, 1, id_type=id_type)
