"""What can be bought: heller's prices, and the same at Stripe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from heller.database import Database, call, call_many
from heller.stripe.api import Json, StripeApi
from heller.stripe.events import reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """So many credits for so much money (minor units), once or every ``period``."""

    price: str
    product: str
    pack: str
    credits: int
    currency: str
    amount: int
    unit: str = "credit"
    period: str | None = None
    carry: str | None = None
    valid_days: int | None = None
    stripe_price: str | None = None
    active: bool = True
    metadata: dict[str, Any] | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did, by name of price; ``skipped`` maps a Stripe price to the reason."""

    pulled: tuple[str, ...]
    pushed: tuple[str, ...]
    retired: tuple[str, ...]
    skipped: dict[str, str]


async def prices(database: Database, *, include_retired: bool = False) -> list[Price]:
    """The catalogue."""
    async with database.connection() as connection:
        rows = await call_many(connection, "stripe_prices", all=include_retired)
    return [msgspec.convert(row, Price) for row in rows]


async def add_price(
    database: Database,
    price: str,
    *,
    product: str,
    pack: str,
    credits: int,  # the word of the glossary
    currency: str,
    amount: int,
    unit: str = "credit",
    period: str | None = None,
    carry: str | None = None,
    valid_days: int | None = None,
    stripe_price: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Price:
    """Sell something. Again with the same figures changes its words only.

    Raises:
        InvalidArgument: a figure that cannot be, or the name exists with other credits, amount, currency or period.
    """
    async with database.connection() as connection:
        row = await call(
            connection,
            "stripe_put_price",
            price=price,
            product=product,
            pack=pack,
            credits=credits,
            currency=currency,
            amount=amount,
            unit=unit,
            period=period,
            carry=carry,
            valid_days=valid_days,
            stripe_price=stripe_price,
            metadata=None if metadata is None else dict(metadata),
        )
    return msgspec.convert(row, Price)


async def retire_price(database: Database, price: str) -> Price:
    """Sell it no more.

    Raises:
        InvalidArgument: there is no such price.
    """
    async with database.connection() as connection:
        return msgspec.convert(await call(connection, "stripe_retire_price", price=price), Price)


async def pull(database: Database, api: StripeApi, *, dry_run: bool = False) -> Synced:
    """Take over Stripe's prices that say how many ``credits`` they give (metadata of the price or its product)."""
    known = {p.stripe_price: p for p in await prices(database, include_retired=True) if p.stripe_price}
    pulled: list[str] = []
    retired: list[str] = []
    skipped: dict[str, str] = {}
    async for item in api.pages("prices", {"expand": ["data.product"]}):
        mine = known.get(item["id"])
        if not item["active"]:
            if mine is not None and mine.active:
                retired.append(mine.price)
                if not dry_run:
                    await retire_price(database, mine.price)
            continue
        wanted = _wanted(item, mine)
        if isinstance(wanted, str):
            skipped[item["id"]] = wanted
        elif mine is None:
            pulled.append(wanted["price"])
            if not dry_run:
                await add_price(database, wanted.pop("price"), **wanted)
    return Synced(tuple(pulled), (), tuple(retired), skipped)


def _wanted(item: Json, mine: Price | None) -> Json | str:
    product = item["product"] if isinstance(item["product"], dict) else {}
    words = {**(product.get("metadata") or {}), **(item.get("metadata") or {})}
    given = str(words.get("credits", ""))
    if not given.isdecimal() or int(given) < 1:
        return "its metadata does not say how many credits it gives"
    if item.get("unit_amount") is None:
        return "it has no fixed amount"
    recurring = item.get("recurring")
    if recurring is not None and recurring.get("interval_count", 1) != 1:
        return "its period is not one day, week, month or year"
    return {
        "price": words.get("heller_price") or item.get("lookup_key") or (mine.price if mine else item["id"]),
        "product": product.get("name") or reference(item["product"]),
        "pack": item.get("nickname") or f"{given} credits",
        "credits": int(given),
        "currency": item["currency"],
        "amount": item["unit_amount"],
        "unit": words.get("unit", "credit"),
        "period": None if recurring is None else recurring["interval"],
        "carry": None if recurring is None else words.get("carry", "expire"),
        "valid_days": int(words["valid_days"]) if str(words.get("valid_days", "")).isdecimal() else None,
        "stripe_price": item["id"],
    }


async def push(database: Database, api: StripeApi, *, dry_run: bool = False) -> Synced:
    """Make our active prices at Stripe that are not there yet."""
    pushed: list[str] = []
    for price in await prices(database):
        if price.stripe_price is not None:
            continue
        pushed.append(price.price)
        if not dry_run:
            await _push(database, api, price)
    return Synced((), tuple(pushed), (), {})


async def _push(database: Database, api: StripeApi, price: Price) -> None:
    key = f"price:{api.settings.mode}:{price.price}:{price.amount}:{price.currency}:{price.credits}"
    name = f"{price.product}: {price.pack}"
    product = await api.create(
        "products", {"name": name, "metadata": {"heller_price": price.price}}, key=f"{key}:product"
    )
    words = {"heller_price": price.price, "credits": str(price.credits), "unit": price.unit}
    if price.carry is not None:
        words["carry"] = price.carry
    if price.valid_days is not None:
        words["valid_days"] = str(price.valid_days)
    params: Json = {
        "product": product["id"],
        "currency": price.currency,
        "unit_amount": price.amount,
        "nickname": price.pack,
        "metadata": words,
    }
    if price.period is not None:
        params["recurring"] = {"interval": price.period}
    made = await api.create("prices", params, key=key)
    await add_price(
        database,
        price.price,
        product=price.product,
        pack=price.pack,
        credits=price.credits,
        currency=price.currency,
        amount=price.amount,
        unit=price.unit,
        period=price.period,
        carry=price.carry,
        valid_days=price.valid_days,
        stripe_price=made["id"],
    )
