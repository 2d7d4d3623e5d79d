"""Who is here, and the frame of the application's pages."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from heller.web import pages, session
from heller.web.pages import Navigation
from heller.web.principal import Principal, Role
from heller.web.session import page_principal
from heller.web.wiring import wiring_of
from resume_matcher.people import Person, person_of
from resume_matcher.prices import PRICES
from resume_matcher.words import Words, words

NAME = "Resume Matcher"
PACKAGE = "resume_matcher.web"


@dataclass(frozen=True, slots=True)
class Me:
    """The person at the browser, with what they have now."""

    principal: Principal
    person: Person
    available: int

    @property
    def user(self) -> str:
        """Heller's id of the person."""
        return self.person.user


async def me(request: Request, principal: Annotated[Principal, Depends(page_principal(Role.customer))]) -> Me:
    """Whoever is signed in; a first visit opens an account."""
    credits = wiring_of(request).heller
    person = await person_of(credits, user=principal.user, subject=principal.subject, email=principal.email)
    if principal.user is None:
        principal = replace(principal, user=person.user)
        session.remember(request, principal)
    account = await credits.balance(person.account)
    return Me(principal, person, account.available)


Here = Annotated[Me, Depends(me)]


def words_of(request: Request) -> Words:
    """The codes in the reader's words."""
    return words(pages.translator(request, PACKAGE), pages.language(request))


def show(
    request: Request, here: Me | None, template: str, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """A page of the application."""
    return pages.render(
        request,
        f"matcher/{template}.html",
        principal=here.principal if here else None,
        status=status,
        package=PACKAGE,
        me=here,
        words=words_of(request),
        prices=PRICES,
        navigation=_navigation(request) if here else [],
        **context,
    )


def _navigation(request: Request) -> list[Navigation]:
    _ = pages.translator(request, PACKAGE)
    path = request.url.path
    entries = [
        ("/matcher", "home", _("Overview")),
        ("/matcher/new", "plus", _("New analysis")),
        ("/matcher/resumes", "file-invoice", _("Resumes")),
        ("/matcher/history", "history", _("History")),
        ("/matcher/applications", "list-check", _("Applications")),
        ("/portal", "wallet", _("Credits")),
        ("/portal/buy", "credit-card", _("Buy credits")),
    ]
    return [
        Navigation(
            href, icon, label, is_current=path == href or (href != "/matcher" and path.startswith(f"{href}/"))
        )
        for href, icon, label in entries
    ]


def go(address: str) -> RedirectResponse:
    """After a form: on to a page that can be loaded again."""
    return RedirectResponse(address, status_code=303)
