"""What a checkout costs: lines, discount and tax, in whole minor units."""

from decimal import ROUND_HALF_UP, Decimal

from stripe_twin.errors import invalid
from stripe_twin.shapes import Json

PERCENT = 100


def _rounded(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def discount_parts(subtotals: list[int], coupon: Json | None, currency: str) -> list[int]:
    """The discount of each line; an amount off is shared by size, so that the parts add up to it exactly."""
    total = sum(subtotals)
    if coupon is None or total == 0:
        return [0] * len(subtotals)
    if coupon["percent_off"] is not None:
        share = Decimal(str(coupon["percent_off"])) / PERCENT
        return [_rounded(subtotal * share) for subtotal in subtotals]
    if coupon["currency"] != currency:
        raise invalid(
            f"The coupon is in {coupon['currency']}, the purchase in {currency}.", param="discounts"
        )
    off = min(coupon["amount_off"], total)
    parts, given, seen = [], 0, 0
    for subtotal in subtotals:
        seen += subtotal
        upto = off * seen // total
        parts.append(upto - given)
        given = upto
    return parts


def tax_of(net: int, behavior: str, percent: int) -> int:
    """The tax on a line: on top of it, or contained in it."""
    if behavior == "inclusive":
        return net - (net * PERCENT * 2 + PERCENT + percent) // (2 * (PERCENT + percent))
    return (net * percent * 2 + PERCENT) // (2 * PERCENT)


def reckon(session: Json, tax_percent: int) -> None:
    """Work out lines and totals of a session anew, in place, from its lines, its coupon and its tax setting."""
    lines = session["_line_items"]
    currency = session["currency"]
    subtotals = [line["price"]["unit_amount"] * line["quantity"] for line in lines]
    discounts = discount_parts(subtotals, session["_coupon"], currency)
    is_taxed = session["automatic_tax"]["enabled"]
    for line, subtotal, discount in zip(lines, subtotals, discounts, strict=True):
        behavior = "inclusive" if line["price"]["tax_behavior"] == "inclusive" else "exclusive"
        tax = tax_of(subtotal - discount, behavior, tax_percent) if is_taxed else 0
        line |= {
            "amount_subtotal": subtotal,
            "amount_discount": discount,
            "amount_tax": tax,
            "amount_total": subtotal - discount + (tax if behavior == "exclusive" else 0),
        }
    session["amount_subtotal"] = sum(subtotals)
    session["amount_total"] = sum(line["amount_total"] for line in lines)
    session["total_details"] = {
        "amount_discount": sum(discounts),
        "amount_shipping": 0,
        "amount_tax": sum(line["amount_tax"] for line in lines),
    }
    if is_taxed:
        session["automatic_tax"]["status"] = "complete"
