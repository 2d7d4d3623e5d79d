"""What every page of the console has: the navigation, the message of the last action, and the way an action is done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from psycopg import AsyncConnection
from starlette.datastructures import FormData

from heller.errors import HellerError, InvalidArgument
from heller.stripe import deliveries
from heller.web import audit, csrf, pages
from heller.web.principal import Principal, Role
from heller.web.session import page_principal
from heller.web.wiring import wiring_of

MESSAGE = "message"
KEPT_CHARACTERS_MAX = 500
PAGE = 50

Support = Annotated[Principal, Depends(page_principal(Role.support))]
Operator = Annotated[Principal, Depends(page_principal(Role.operator))]
Admin = Annotated[Principal, Depends(page_principal(Role.admin))]
BIGINT_MAX = 2**63 - 1
Before = Annotated[int | None, Query(ge=1, le=BIGINT_MAX)]
Number = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
PROTECTED = [Depends(csrf.protect)]


def _(message: str) -> str:
    """Marks a text for the catalogue; it is translated where it is shown."""
    return message


NAVIGATION = (
    ("/console", "dashboard", _("Overview")),
    ("/console/accounts", "wallet", _("Accounts")),
    ("/console/usage", "chart-bar", _("Usage")),
    ("/console/deliveries", "inbox", _("Deliveries")),
    ("/console/discrepancies", "scale", _("Discrepancies")),
    ("/console/endpoints", "activity", _("Endpoints")),
    ("/console/rollout", "rocket", _("Rollout")),
    ("/console/migration", "database-export", _("Migration")),
    ("/console/checklist", "list-check", _("Checklist")),
    ("/console/audit", "history", _("Audit log")),
    ("/console/keys", "key", _("API keys")),
)
FOR_ADMINS = {"/console/keys"}


async def page(
    request: Request, template: str, principal: Principal, *, current: str, **context: Any
) -> Response:
    """A page of the console. ``current`` is its entry in the navigation."""
    queue = context.pop("queue", None) or await deliveries.queue(wiring_of(request).database)
    badges = {
        "/console/deliveries": queue["parked"] + queue["dead"],
        "/console/discrepancies": queue["open_discrepancies"],
    }
    _ = pages.translator(request)
    navigation = [
        pages.Navigation(href, picture, _(label), href == current, badges.get(href, 0))
        for href, picture, label in NAVIGATION
        if href not in FOR_ADMINS or principal.role >= Role.admin
    ]
    message = request.session.pop(MESSAGE) if MESSAGE in request.session else {}
    return pages.render(
        request,
        f"console/{template}",
        principal=principal,
        navigation=navigation,
        queue=queue,
        message=message,
        kept=message.get("kept", {}),
        may_act=principal.role >= Role.operator,
        is_admin=principal.role >= Role.admin,
        now=datetime.now(UTC),
        **context,
    )


@dataclass(slots=True)
class Deed:
    """An action under way: its transaction, and what the audit log will say. ``is_repeat``: it had been done before."""

    connection: AsyncConnection
    target: str
    detail: dict[str, Any]
    is_repeat: bool = False


@asynccontextmanager
async def acting(
    request: Request, principal: Principal, action: str, target: str, **detail: Any
) -> AsyncIterator[Deed]:
    """One transaction with its entry in the audit log: both are kept or neither. A repetition is not written twice."""
    async with wiring_of(request).database.transaction() as connection:
        deed = Deed(connection, target, detail)
        yield deed
        if not deed.is_repeat:
            request_id: str = request.state.request_id
            await audit.note(connection, principal, action, deed.target, deed.detail, request_id=request_id)


async def attempt(request: Request, back: str, form: str, work: Callable[[], Awaitable[str]]) -> Response:
    """Do what a form asks, and go back to its page with one sentence: what was done, or why not and what was typed."""
    try:
        request.session[MESSAGE] = {"kind": "success", "text": await work()}
    except HellerError as error:
        given = await request.form()
        kept = {
            name: value[:KEPT_CHARACTERS_MAX]
            for name, value in given.items()
            if isinstance(value, str) and name != csrf.FIELD
        }
        request.session[MESSAGE] = {
            "kind": "danger", "text": pages.in_words(request, error.message), "hint": pages.in_words(request, error.hint),
            "form": form, "kept": kept,
        }  # fmt: skip
    return RedirectResponse(back, status_code=303)


class Fields:
    """What a form sent, read with one clear sentence for whatever is missing or wrong."""

    def __init__(self, form: FormData) -> None:
        self._form = form

    @classmethod
    async def of(cls, request: Request) -> "Fields":
        """The fields of this request."""
        return cls(await request.form())

    def optional(self, name: str) -> str | None:
        """A text, or None where it was left empty."""
        value = self._form.get(name)
        return value.strip() or None if isinstance(value, str) else None

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.optional(name)
        if value is None:
            raise InvalidArgument(f"The field {name} is empty.", argument=name)
        return value

    def texts(self, name: str) -> list[str]:
        """All values of a field that may come several times."""
        return [value for value in self._form.getlist(name) if isinstance(value, str)]

    def whole(self, name: str) -> int:
        """A whole number that must be there."""
        value = self.optional_whole(name)
        if value is None:
            raise InvalidArgument(f"The field {name} is empty.", argument=name)
        return value

    def optional_whole(self, name: str) -> int | None:
        """A whole number, or None where it was left empty."""
        value = self.optional(name)
        if value is None:
            return None
        try:
            number = int(value.replace("\N{MINUS SIGN}", "-"))
        except ValueError as error:
            raise InvalidArgument(f"{name} is a whole number, not {value[:40]!r}.", argument=name) from error
        if abs(number) > BIGINT_MAX:
            raise InvalidArgument(f"{name} is beyond what a number can be here.", argument=name)
        return number

    def moment(self, name: str) -> datetime | None:
        """A date or an instant in UTC, or None where it was left empty."""
        value = self.optional(name)
        return None if value is None else moment(value, name)


def moment(value: str, name: str) -> datetime:
    """An instant out of what somebody typed or chose; without a zone it is UTC.

    Raises:
        InvalidArgument: it is no date.
    """
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidArgument(
            f"{name} is a date such as 2026-01-31, not {value[:40]!r}.", argument=name
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
