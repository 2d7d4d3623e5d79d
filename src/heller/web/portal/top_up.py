"""Automatic top-up: the rule, whether it is paused and why, what became of the last ones."""

from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from heller.ledger.alerts import TopUpRule
from heller.ledger.operations import DEFAULT_UNIT
from heller.stripe import Price, prices
from heller.web import csrf, pages
from heller.web.formats import minor_places
from heller.web.portal import forms
from heller.web.portal.buying import QUANTITY_MAX, stripe_of
from heller.web.portal.routing import Acting, View, Viewed, go, known, note, router, show
from heller.web.wiring import wiring_of

ATTEMPTS = 10
DAYS_MAX = 366
COOLDOWN_MINUTES_MAX = 7 * 24 * 60
Field = Annotated[str, Form(max_length=40)]


async def _packs(request: Request, view: Viewed) -> list[Price]:
    wiring = wiring_of(request)
    stripe_of(wiring)
    unit = view.account.unit if view.account else DEFAULT_UNIT
    return [p for p in await prices(wiring.database) if p.unit == unit and p.period is None]


@router.get("/top-up")
async def rule_page(request: Request, view: View) -> Response:
    """The rule of the account."""
    account = known(view)
    rule = await wiring_of(request).heller.top_up_rule(account.account, unit=account.unit)
    offered = await _packs(request, view)
    return await _page(request, view, offered, _values(rule, offered), {})


def _values(rule: TopUpRule | None, offered: list[Price]) -> dict[str, str]:
    if rule is None:
        return {
            "threshold": "",
            "price": "",
            "quantity": "1",
            "ceiling": "",
            "ceiling_days": "30",
            "cooldown": "60",
        }
    currency = next((p.currency for p in offered if p.price == rule.price), "eur")
    places = minor_places(currency)
    ceiling = "" if rule.ceiling is None else str(rule.ceiling).rjust(places + 1, "0")
    return {
        "threshold": str(rule.threshold),
        "price": rule.price,
        "quantity": str(rule.quantity),
        "ceiling": f"{ceiling[:-places]}.{ceiling[-places:]}" if ceiling and places else ceiling,
        "ceiling_days": str(rule.ceiling_days),
        "cooldown": str(rule.cooldown_seconds // 60),
    }


async def _page(
    request: Request, view: Viewed, offered: list[Price], values: dict[str, str], errors: dict[str, str]
) -> Response:
    heller, account = wiring_of(request).heller, known(view)
    return show(
        request,
        view,
        "top_up",
        status=422 if errors else 200,
        packs=offered,
        values=values,
        errors=errors,
        rule=await heller.top_up_rule(account.account, unit=account.unit),
        attempts=await heller.top_up_attempts(account.account, unit=account.unit, limit=ATTEMPTS),
        quantity_max=QUANTITY_MAX,
    )


@router.post("/top-up", dependencies=[Depends(csrf.protect)])
async def put(
    request: Request,
    view: Acting,
    *,
    threshold: Field = "",
    price: Annotated[str, Form(max_length=100)] = "",
    quantity: Field = "1",
    ceiling: Field = "",
    ceiling_days: Field = "30",
    cooldown: Field = "60",
) -> Response:
    """Set the rule."""
    _ = pages.translator(request)
    account = known(view)
    offered = await _packs(request, view)
    values = {
        "threshold": threshold, "price": price, "quantity": quantity, "ceiling": ceiling, "ceiling_days": ceiling_days, "cooldown": cooldown,
    }  # fmt: skip
    form = forms.Form(values, _)
    pack = next((p for p in offered if p.price == price), None)
    if pack is None:
        form.errors["price"] = _("Choose a pack.")
    count = form.needed("quantity", most=QUANTITY_MAX)
    most = form.money("ceiling", pack.currency) if pack else None
    if pack and most is not None and most < pack.amount * count:
        form.errors["ceiling"] = _("Less than one top-up costs: it would never buy.")
    wanted = {
        "threshold": form.needed("threshold"),
        "ceiling_days": form.needed("ceiling_days", most=DAYS_MAX),
        "cooldown_seconds": form.needed("cooldown", least=1, most=COOLDOWN_MINUTES_MAX) * 60,
    }
    if form.errors:
        return await _page(request, view, offered, values, form.errors)
    rule = {"price": price, "quantity": count, "ceiling": most, **wanted}
    await note(request, view, "top_up.set", rule)
    await wiring_of(request).heller.put_top_up_rule(
        account.account, unit=account.unit, price=price, quantity=count, ceiling=most, **wanted
    )
    return go(view.link("top-up"))


@router.post("/top-up/resume", dependencies=[Depends(csrf.protect)])
async def resume(request: Request, view: Acting) -> RedirectResponse:
    """End the pause after failures."""
    account = known(view)
    await note(request, view, "top_up.resume", {})
    await wiring_of(request).heller.resume_top_up(account.account, unit=account.unit)
    return go(view.link("top-up"))


@router.post("/top-up/remove", dependencies=[Depends(csrf.protect)])
async def remove(request: Request, view: Acting) -> RedirectResponse:
    """Top up no more by itself."""
    account = known(view)
    await note(request, view, "top_up.remove", {})
    await wiring_of(request).heller.remove_top_up_rule(account.account, unit=account.unit)
    return go(view.link("top-up"))
