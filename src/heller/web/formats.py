"""How pages write numbers, money and times, in the reader's language. Nothing here knows a request."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal
from markupsafe import Markup, escape

from heller.web.assets import static

RELATIVE_UP_TO = timedelta(days=45)
NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
# Stripe's currencies whose smallest unit is not a hundredth.
_WHOLE = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_USUAL_PLACES = 2


class Formats:
    """The formats of one language, as they are called in templates."""

    def __init__(self, language: str) -> None:
        self.locale = Locale.parse(language)

    def number(self, value: int | None) -> str:
        """``12,345``; a dash where there is none."""
        if value is None:
            return NONE
        return str(format_decimal(value, locale=self.locale)).replace("-", MINUS)

    def signed(self, value: int) -> str:
        """A change: ``+10`` or ``-10`` with a real minus sign."""
        return f"+{self.number(value)}" if value > 0 else self.number(value)

    def money(self, amount: int | None, currency: str | None) -> str:
        """Minor units as an amount of money; whole numbers in, no float."""
        if amount is None or currency is None:
            return NONE
        value = Decimal(amount).scaleb(-minor_places(currency))
        # nothing is rounded, also where Stripe counts more places than the language's tables
        text = format_currency(value, currency.upper(), locale=self.locale, decimal_quantization=False)
        return str(text).replace("-", MINUS)

    def day(self, at: date | None) -> str:
        """The date; of an instant, in UTC."""
        if at is None:
            return NONE
        on = at.astimezone(UTC) if isinstance(at, datetime) else at
        return str(format_date(on, "medium", locale=self.locale))

    def when(self, at: datetime | str | None) -> Markup:
        """Date and time: in the reader's zone where scripts run, else in UTC; the exact UTC on hover."""
        moment = instant(at)
        if moment is None:
            return escape(NONE)
        words = format_datetime(moment, "medium", tzinfo=UTC, locale=self.locale)
        return _time(moment, f"{words} UTC", "when")

    def local_day(self, at: datetime | str | None) -> Markup:
        """The date of an instant: in the reader's zone where scripts run, else in UTC."""
        moment = instant(at)
        return escape(NONE) if moment is None else _time(moment, self.day(moment), "day")

    def ago(self, at: datetime | str | None, *, now: datetime | None = None) -> Markup:
        """Relative to now ("3 minutes ago", "in 2 days"), a date when it is far off; the exact UTC on hover."""
        moment = instant(at)
        if moment is None:
            return escape(NONE)
        distance = moment - (now or datetime.now(UTC))
        if abs(distance) > RELATIVE_UP_TO:
            return self.local_day(moment)
        words = format_timedelta(distance, add_direction=True, threshold=1.5, locale=self.locale)
        return _time(moment, words, "relative")


def minor_places(currency: str) -> int:
    """How many digits of an amount come after the point, as Stripe counts."""
    code = currency.upper()
    return 0 if code in _WHOLE else 3 if code in _THOUSANDTHS else _USUAL_PLACES


def minor_units(text: str, currency: str) -> int:
    """``12.50`` or ``12,50`` in minor units.

    Raises:
        ValueError: no amount of money of that currency.
    """
    plain = text.strip().replace(",", ".")
    if not plain.replace(".", "", 1).isdecimal() or not plain.isascii():
        raise ValueError(f"{text!r} is no amount of money")
    amount = Decimal(plain).scaleb(minor_places(currency))
    if amount != amount.to_integral_value():
        raise ValueError(f"{text!r} is no amount of money of {currency}")
    return int(amount)


def instant(at: datetime | str | None) -> datetime | None:
    """A time out of what SQL's JSON says, in UTC."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def exact(at: datetime) -> str:
    """The unambiguous form: ``2026-01-31 12:00:00 UTC``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _time(at: datetime, words: str, shown: str) -> Markup:
    """``shown`` says how ``static/heller.js`` writes it anew: relative to now, or as a day or an instant of the reader's zone."""
    return Markup('<time datetime="{}" title="{}" data-shown="{}">{}</time>').format(
        at.isoformat(), exact(at), shown, words
    )


def copyable(text: str | int, label: str) -> Markup:
    """An id with a button that copies it; without JavaScript just the id, which can be selected whole."""
    value = escape(str(text))
    return Markup(
        '<span class="copyable"><code>{}</code><button type="button" class="copy" data-copy="{}" aria-label="{}" title="{}">'
        '<svg class="icon" aria-hidden="true"><use href="{}#copy"></use></svg></button></span>'
    ).format(value, value, label, label, static("vendor/icons.svg"))
