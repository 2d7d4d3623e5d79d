"""How pages write numbers, money and times."""

from datetime import UTC, datetime, timedelta

import pytest

from heller.web.formats import Formats, minor_units

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
EN, DE = Formats("en"), Formats("de")


def test_numbers_have_the_separators_of_the_language_and_a_real_minus() -> None:
    assert (EN.number(1234567), DE.number(1234567)) == ("1,234,567", "1.234.567")
    assert (EN.number(-5), EN.signed(5), EN.signed(-5), EN.number(None)) == ("−5", "+5", "−5", "–")
    assert EN.number(9_223_372_036_854_775_807) == "9,223,372,036,854,775,807"


@pytest.mark.parametrize(
    ("amount", "currency", "english", "german"),
    [
        (1900, "eur", "€19.00", "19,00\xa0€"),
        (-50, "eur", "−€0.50", "−0,50\xa0€"),
        (500, "jpy", "¥500", "500\xa0¥"),
        (1234, "kwd", "KWD1.234", "1,234\xa0KWD"),
        (1234, "isk", "ISK12.34", "12,34\xa0ISK"),
        (10**17 + 1, "usd", "$1,000,000,000,000,000.01", "1.000.000.000.000.000,01\xa0$"),
    ],
)
def test_money_is_written_to_the_last_minor_unit(
    amount: int, currency: str, english: str, german: str
) -> None:
    assert (EN.money(amount, currency), DE.money(amount, currency)) == (english, german)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("50", "eur", 5000),
        ("50.5", "eur", 5050),
        ("19,99", "eur", 1999),
        (" 7 ", "jpy", 7),
        ("1.234", "kwd", 1234),
    ],
)
def test_money_is_read_in_both_ways_of_writing_it(text: str, currency: str, amount: int) -> None:
    assert minor_units(text, currency) == amount


@pytest.mark.parametrize("text", ["", "x", "1.999", "1,2.3", "-5", "1e3", "٣", "NaN", "."])
def test_what_is_no_amount_of_money_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount of money"):
        minor_units(text, "eur")


def test_times_are_relative_with_the_exact_utc_on_hover() -> None:
    html = EN.ago(NOW - timedelta(minutes=3), now=NOW)
    assert html == (
        '<time datetime="2026-03-10T11:57:00+00:00" title="2026-03-10 11:57:00 UTC" data-shown="relative">3 minutes ago</time>'
    )
    assert "vor 3 Minuten" in DE.ago(NOW - timedelta(minutes=3), now=NOW)
    assert "in 2 days" in EN.ago(NOW + timedelta(days=2), now=NOW)


def test_far_off_times_are_dates_and_other_zones_come_to_utc() -> None:
    assert ">Mar 10, 2025</time>" in EN.ago(NOW - timedelta(days=365), now=NOW)
    assert 'title="2026-03-10 10:00:00 UTC"' in EN.when("2026-03-10T12:00:00+02:00")
    assert (EN.ago(None), EN.when(None), EN.day(None)) == ("–", "–", "–")
