"""The portal's routes, its navigation, and whose credits a page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from heller.errors import AccountAway, UnknownAccount
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Account
from heller.web import audit, pages
from heller.web.pages import Navigation
from heller.web.principal import Principal, Role
from heller.web.problems import Forbidden, NotFound
from heller.web.session import page_principal
from heller.web.wiring import wiring_of

ROOT = "/portal"
HERE = "heller"
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """Whose credits are shown to whom. ``account`` is None for a customer who has none yet.

    Staff may look at any account by its address, as its owner would see it; only the owner may act.
    """

    principal: Principal
    account: Account | None
    accounts: tuple[Account, ...]
    home: str = HERE

    @property
    def is_own(self) -> bool:
        """Whether the account is the reader's."""
        return self.account is None or self.account in self.accounts

    @property
    def may_act(self) -> bool:
        """Whether the reader may change something: it is theirs, and heller owns it now."""
        return self.is_own and self.home == HERE

    def link(self, page: str = "", **query: Any) -> str:
        """The address of a portal page about the same account; None leaves a value out."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        if self.account is not None and (len(self.accounts) > 1 or not self.is_own):
            given["account"] = self.account.account
            if self.account.unit != DEFAULT_UNIT:
                given["unit"] = self.account.unit
        path = f"{ROOT}/{page}".rstrip("/")
        return f"{path}?{urlencode(given)}" if given else path

    def link_to(self, other: Account) -> str:
        """The overview of another of the reader's accounts."""
        unit = {"unit": other.unit} if other.unit != DEFAULT_UNIT else {}
        return f"{ROOT}?{urlencode({'account': other.account, **unit})}"


async def viewed(
    request: Request,
    principal: Annotated[Principal, Depends(page_principal(Role.customer))],
    account: Annotated[str, Query(max_length=200)] = "",
    unit: Annotated[str, Query(max_length=40)] = "",
) -> Viewed:
    """The account that the address names, or the reader's first.

    Raises:
        NotFound: a customer named an account of somebody else, or one that is not there: the same answer to both.
    """
    heller = wiring_of(request).heller
    accounts = tuple(await heller.accounts_of(principal.user)) if principal.user else ()
    own = [a for a in accounts if (not account or a.account == account) and (not unit or a.unit == unit)]
    if own:
        found = next((a for a in own if a.unit == DEFAULT_UNIT), own[0])
    elif account and principal.role >= Role.support:
        try:
            found = await heller.balance(account, unit=unit or DEFAULT_UNIT)
        except UnknownAccount as error:
            raise NotFound(error.message) from None
    elif account or unit:
        raise NotFound("There is no such account.")
    else:
        return Viewed(principal=principal, account=None, accounts=())
    home = (await heller.route(found.account, unit=found.unit))["home"]
    return Viewed(principal=principal, account=found, accounts=accounts, home=home)


async def acting(view: Annotated[Viewed, Depends(viewed)]) -> Viewed:
    """Like ``viewed``, for whoever may change something.

    Raises:
        Forbidden: staff look on, they do not act for a customer here.
        AccountAway: another system owns the credits now.
    """
    if not view.is_own:
        raise Forbidden("Only its owner acts on an account here.", hint="Operators act in the console.")
    if view.account is not None and view.home != HERE:
        raise AccountAway(
            "These credits are at home in another system now.",
            hint="Act there, or try again in a moment.",
            account=view.account.account,
            home=view.home,
        )
    return view


View = Annotated[Viewed, Depends(viewed)]
Acting = Annotated[Viewed, Depends(acting)]


def known(view: Viewed) -> Account:
    """The account of a page that has one.

    Raises:
        NotFound: there is none yet.
    """
    if view.account is None:
        raise NotFound("There is no account yet.")
    return view.account


def show(request: Request, view: Viewed, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page of the portal about the account in view."""
    return pages.render(
        request,
        f"portal/{template}.html",
        principal=view.principal,
        status=status,
        view=view,
        account=view.account,
        unit=view.account.unit if view.account else DEFAULT_UNIT,
        link=view.link,
        navigation=_navigation(request, view),
        now=datetime.now(UTC),
        **context,
    )


def _navigation(request: Request, view: Viewed) -> list[Navigation]:
    _ = pages.translator(request)
    with_stripe = wiring_of(request).stripe is not None
    entries = [("", "home", _("Overview"), True)]
    if view.account is not None:
        entries += [
            ("transactions", "list-details", _("Transactions"), True),
            ("grants", "coins", _("Grants"), True),
        ]
    entries += [("buy", "credit-card", _("Buy credits"), with_stripe)]
    if view.account is not None:
        entries += [
            ("top-up", "refresh", _("Automatic top-up"), with_stripe),
            ("receipts", "receipt", _("Receipts"), with_stripe),
            ("team", "users", _("Team"), True),
        ]
    path = request.url.path
    made = [
        Navigation(view.link(page), picture, label, is_current=_is_current(path, page))
        for page, picture, label, is_there in entries
        if is_there
    ]
    if view.principal.role >= Role.support:
        made.append(Navigation("/console", "dashboard", _("Console")))
    return made


def _is_current(path: str, page: str) -> bool:
    here = f"{ROOT}/{page}".rstrip("/")
    return path == here or bool(page and path.startswith((f"{here}/", f"{here}.")))


async def note(request: Request, view: Viewed, action: str, detail: Mapping[str, Any]) -> None:
    """Write into the audit log what a customer did to the account in view."""
    target = view.account.account if view.account else (view.principal.user or view.principal.subject)
    async with wiring_of(request).database.connection() as connection:
        await audit.note(
            connection, view.principal, action, target, detail, request_id=request.state.request_id
        )


def go(address: str) -> RedirectResponse:
    """After a form: on to a page that can be loaded again."""
    return RedirectResponse(address, status_code=303)
