"""The team: who may spend from the account, up to what, and who spent what."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from heller.web import csrf, pages
from heller.web.portal import forms
from heller.web.portal.routing import Acting, View, Viewed, go, known, note, router, show
from heller.web.wiring import wiring_of

Period = Literal["day", "week", "month", "year", "ever"]
PERIODS = ("day", "week", "month", "year", "ever")
DAYS = (7, 30, 365)
NEW = {"member": "", "cap": "", "period": "month"}


@router.get("/team")
async def team(
    request: Request,
    view: View,
    days: Annotated[Literal["7", "30", "365"], Query()] = "30",
    edit: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The members and what each spent; ``edit`` names one whose cap the form shows."""
    account = known(view)
    members = await wiring_of(request).heller.members(account.account, unit=account.unit)
    chosen = next((m for m in members if m.member == edit), None)
    values = NEW if chosen is None else {
        "member": chosen.member, "cap": "" if chosen.cap is None else str(chosen.cap), "period": chosen.period,
    }  # fmt: skip
    return await _page(request, view, values, {}, days=int(days))


async def _page(
    request: Request, view: Viewed, values: dict[str, str], errors: dict[str, str], *, days: int = 30
) -> Response:
    heller, account = wiring_of(request).heller, known(view)
    since = datetime.now(UTC) - timedelta(days=days)
    return show(
        request,
        view,
        "team",
        status=422 if errors else 200,
        members=await heller.members(account.account, unit=account.unit),
        spending=await heller.spending_by_member(account.account, since=since, unit=account.unit),
        values=values,
        errors=errors,
        days=days,
        periods=DAYS,
        cap_periods=PERIODS,
    )


@router.post("/team", dependencies=[Depends(csrf.protect)])
async def put(
    request: Request,
    view: Acting,
    member: Annotated[str, Form(max_length=200)] = "",
    cap: Annotated[str, Form(max_length=40)] = "",
    period: Annotated[Period, Form()] = "month",
) -> Response:
    """Let somebody spend, or change their cap."""
    _ = pages.translator(request)
    account = known(view)
    name = member.replace("\x00", "").strip()
    form = forms.Form({"member": name, "cap": cap, "period": period}, _)
    if not name:
        form.errors["member"] = _("This is needed.")
    limit = form.number("cap", least=0)
    if form.errors:
        return await _page(request, view, form.values, form.errors)
    await note(request, view, "member.set", {"member": name, "cap": limit, "period": period})
    await wiring_of(request).heller.put_member(
        account.account, name, cap=limit, period=period, unit=account.unit
    )
    return go(view.link("team"))


@router.post("/team/remove", dependencies=[Depends(csrf.protect)])
async def remove(
    request: Request, view: Acting, member: Annotated[str, Form(max_length=200)]
) -> RedirectResponse:
    """End a membership; what was spent stays on record."""
    account = known(view)
    await note(request, view, "member.remove", {"member": member})
    await wiring_of(request).heller.remove_member(account.account, member, unit=account.unit)
    return go(view.link("team"))
