"""``/console/keys``: the API keys of programs. A secret is shown once, on the page that answers its making."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from heller.errors import HellerError, InvalidArgument
from heller.web import keys, pages
from heller.web.console.shared import MESSAGE, PROTECTED, Admin, Fields, acting, attempt, page
from heller.web.principal import ROLE_SCOPES, SCOPES, Role
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/keys")

HERE = "/console/keys"
ROLES = (Role.support, Role.operator, Role.admin)


@router.get("")
async def listed(request: Request, principal: Admin, ended: bool = False) -> Response:
    """The keys, and the form for a new one."""
    return await _page(request, principal, ended=ended)


async def _page(
    request: Request, principal: Admin, *, ended: bool = False, made: keys.NewApiKey | None = None
) -> Response:
    async with wiring_of(request).database.connection() as connection:
        found = await keys.listed(connection, include_ended=ended)
    return await page(
        request,
        "keys.html",
        principal,
        current=HERE,
        found=found,
        ended=ended,
        made=made,
        roles=[role.name for role in ROLES],
        scopes=SCOPES,
        role_scopes={role.name: ROLE_SCOPES[role] for role in ROLES},
    )


@router.post("", dependencies=PROTECTED)
async def create(request: Request, principal: Admin) -> Response:
    """Make a key. The answer is the page itself, so that the secret is nowhere but on it."""
    fields = await Fields.of(request)
    try:
        name, role, scopes = fields.text("name"), _role(fields.text("role")), fields.texts("scopes")
        expires_at, rate = fields.moment("expires_at"), fields.optional_whole("rate_per_minute")
        async with acting(
            request, principal, "key.create", "", name=name, role=role.name, scopes=scopes or None, expires_at=expires_at
        ) as deed:  # fmt: skip
            made = await keys.create(
                deed.connection,
                name,
                role=role,
                scopes=scopes or None,
                actor=principal.actor,
                expires_at=expires_at,
                rate_per_minute=rate,
            )
            deed.target = made.api_key.key_id
    except HellerError as error:
        request.session[MESSAGE] = {
            "kind": "danger",
            "text": pages.in_words(request, error.message),
            "hint": pages.in_words(request, error.hint),
            "form": "create",
        }
        return await _page(request, principal)
    return await _page(request, principal, made=made)


def _role(name: str) -> Role:
    if name not in {role.name for role in ROLES}:
        raise InvalidArgument(f"A key is support, operator or admin, not {name}.", argument="role")
    return Role[name]


@router.post("/{key_id}/revoke", dependencies=PROTECTED)
async def revoke(request: Request, principal: Admin, key_id: Annotated[str, Path(max_length=40)]) -> Response:
    """Make a key worthless."""

    async def work() -> str:
        async with acting(request, principal, "key.revoke", key_id) as deed:
            await keys.revoke(deed.connection, key_id, actor=principal.actor)
        _ = pages.translator(request)
        return _("The key is revoked.")

    return await attempt(request, HERE, "revoke", work)
