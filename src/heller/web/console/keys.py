"""``/console/keys``: the API keys of programs. A secret is shown once, on the page that answers its making."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from heller.errors import HellerError, InvalidArgument
from heller.web import keys, pages
from heller.web.console.shared import MESSAGE, PROTECTED, Admin, Fields, acting, attempt, page
from heller.web.principal import ROLE_SCOPES, SCOPES, Principal, Role
from heller.web.wiring import wiring_of

router = APIRouter(prefix="/keys")

HERE = "/console/keys"
HOURS_MAX = 500_000  # what SQL refuses all the same, and its integer holds
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
        return await _refused(request, principal, "create", error)
    return await _page(request, principal, made=made)


async def _refused(request: Request, principal: Principal, form: str, error: HellerError) -> Response:
    """The page with the form that was refused, and why."""
    request.session[MESSAGE] = {
        "kind": "danger",
        "text": pages.in_words(request, error.message),
        "hint": pages.in_words(request, error.hint),
        "form": form,
    }
    return await _page(request, principal)


def _role(name: str) -> Role:
    if name not in {role.name for role in ROLES}:
        raise InvalidArgument(f"A key is support, operator or admin, not {name}.", argument="role")
    return Role[name]


@router.post("/rotate", dependencies=PROTECTED)
async def rotate(request: Request, principal: Admin) -> Response:
    """Make a key in place of another. The answer is the page itself, as that of a new one."""
    fields = await Fields.of(request)
    try:
        key_id, hours, expires_at = fields.text("key"), fields.whole("hours"), fields.moment("expires_at")
        async with acting(
            request, principal, "key.rotate", key_id, overlap_hours=hours, expires_at=expires_at
        ) as deed:
            made = await keys.rotate(
                deed.connection,
                key_id,
                actor=principal.actor,
                overlap_seconds=min(max(hours, -1), HOURS_MAX) * 3_600,
                expires_at=expires_at,
            )
            deed.detail["new"] = made.api_key.key_id
    except HellerError as error:
        return await _refused(request, principal, "rotate", error)
    return await _page(request, principal, made=made)


@router.post("/{key_id}/revoke", dependencies=PROTECTED)
async def revoke(request: Request, principal: Admin, key_id: Annotated[str, Path(max_length=40)]) -> Response:
    """Make a key worthless."""

    async def work() -> str:
        async with acting(request, principal, "key.revoke", key_id) as deed:
            await keys.revoke(deed.connection, key_id, actor=principal.actor)
        _ = pages.translator(request)
        return _("The key is revoked.")

    return await attempt(request, HERE, "revoke", work)
