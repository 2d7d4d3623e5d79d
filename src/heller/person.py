"""Data protection: everything that is kept of one person, and forgetting who it is while the ledger stays."""

from typing import Any

from heller.errors import InvalidArgument, UnknownAccount
from heller.ledger import Heller

PAGE_LINES = 1_000


async def the_user(heller: Heller, name: str) -> str:
    """The one user meant by an id or any other name.

    Raises:
        UnknownAccount: nobody is known by it.
        InvalidArgument: several are.
    """
    users = await heller.resolve(name)
    if not users:
        raise UnknownAccount(f"Nobody is known as {name}.", account=name)
    if len(users) > 1:
        raise InvalidArgument(
            f"{name} means several users: {', '.join(users)}.", hint="Name one of them.", argument="name"
        )
    return users[0]


async def export(heller: Heller, name: str) -> dict[str, Any]:
    """All that is kept of one person, transactions included. Raises as ``the_user``."""
    found = await heller.export_user(await the_user(heller, name))
    for kept in found["accounts"]:
        account, lines = kept["account"], []
        before: int | None = None
        while page := await heller.history(
            account["account"], unit=account["unit"], before_seq=before, limit=PAGE_LINES
        ):
            lines += page
            before = page[-1].seq
        kept["transactions"] = lines
    return found
