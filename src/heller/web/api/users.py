"""Users, the names they are known by, and which home serves them."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from heller import errors
from heller.ledger.operations import DEFAULT_UNIT
from heller.web.api import models
from heller.web.api.answers import BODY, Identity, Page, Route, User, responses
from heller.web.api.caller import Caller, answer, reads
from heller.web.problems import NotFound

router = APIRouter(tags=["users"])

Reader = Annotated[Caller, reads("users:read")]


@router.get("/users", response_model=Page[User], responses=responses())
async def resolve(
    caller: Reader,
    name: Annotated[
        str,
        Query(
            min_length=1,
            max_length=320,
            pattern=models.PRINTABLE,
            description="An id or any name.",
            examples=["anna@example.org"],
        ),
    ],
) -> Response:
    """The users known by a name; more than one means that it is ambiguous."""
    users = [await _user(caller, user) for user in await caller.wiring.heller.resolve(name)]
    return answer({"items": users, "next": None})


@router.get("/users/{user}", response_model=User, responses=responses(NotFound))
async def get_user(user: models.Id, caller: Reader) -> Response:
    """A user by its id: every name it is known by, and its accounts."""
    found = await _user(caller, user)
    if not found.identities and not found.accounts:
        raise NotFound(f"There is no user {user}.")
    return answer(found)


@router.post(
    "/users/{user}/identities",
    status_code=201,
    response_model=Identity,
    responses=responses(*BODY, errors.IdentityTaken),
)
async def add_identity(
    user: models.Id, body: models.AddIdentity, caller: Annotated[Caller, reads("users:write")]
) -> Response:
    """Make a name (e-mail, auth0 subject, ...) known as a user's; it may then sign in by it."""
    await caller.change(
        "identity.add", user, lambda ledger: ledger.add_identity(user, body.kind, body.name), body.given()
    )
    name = body.name.strip().lower() if body.kind == "email" else body.name
    return answer(Identity(kind=body.kind, name=name), status=201)


@router.get("/users/{user}/route", response_model=Route, responses=responses(errors.InvalidArgument))
async def route(
    user: models.Id, caller: Annotated[Caller, reads("rollout:read")], unit: models.Unit = DEFAULT_UNIT
) -> Response:
    """Which home serves a user now: heller, legacy, moving (ask again in a moment), or unknown (never seen here).

    For applications in any language: ask before each operation, and serve the user from the home it names.
    `user` is an account's id, a user's id, or any name of one user.
    """
    heller = caller.wiring.heller
    found = await heller.route(user, unit=unit)
    account = user
    if found["home"] == "unknown":
        users = await heller.resolve(user)
        accounts = [a.account for owner in users for a in await heller.accounts_of(owner) if a.unit == unit]
        if len(accounts) > 1:
            raise errors.InvalidArgument(
                f"{user} means several accounts: {', '.join(accounts[:10])}.",
                hint="Name one of them.",
                argument="user",
            )
        account = accounts[0] if accounts else user
        found = await heller.route(account, unit=unit)
    return answer(Route(user=user, account=account, home=found["home"], epoch=found["epoch"]))


async def _user(caller: Caller, user: str) -> User:
    names = await caller.wiring.heller.identities_of(user)
    return User(
        user=user,
        identities=[Identity(kind=name["kind"], name=name["name"]) for name in names],
        accounts=await caller.wiring.heller.accounts_of(user),
    )
