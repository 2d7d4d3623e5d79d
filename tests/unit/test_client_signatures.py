"""The HTTP client, synchronous and not, takes what the library takes: names, kinds and defaults of parameters."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from heller.client import AsyncClient, Client
from heller.ledger.hold import HoldVerbs
from heller.ledger.reads import Reads
from heller.ledger.recurring import Recurring
from heller.ledger.statements import Statements
from heller.ledger.teams import Teams
from heller.ledger.verbs import Verbs

Shape = tuple[list[str], dict[str, tuple[Any, Any]]]

# Who acts is said by the API key; a page is turned by the client itself.
NOT_SENT = {"actor"}
_PAGE = {"after", "limit"}
ONLY_OF_THE_LIBRARY = {
    "history": {"before_seq", "metadata"}, "find_accounts": {"after"},
    "grants": _PAGE, "holds": _PAGE, "members": _PAGE,
}  # fmt: skip
# The audit log of a server and its operators' tools, not a program's business.
NOT_OVER_HTTP = {"statement", "statement_csv", "expiring", "revenue", "resolve", "books", "accounts_of", "identities_of", "export_user", "erase_user", "spending_by_member", "memberships"}  # fmt: skip

NAMES = sorted(
    name
    for kind in (Verbs, HoldVerbs, Recurring, Teams, Reads, Statements)
    for name, member in vars(kind).items()
    if inspect.isfunction(member) and not name.startswith("_")
)


def _shape(function: Callable[..., Any], *, without: frozenset[str] = frozenset()) -> Shape:
    """The names that can be given by place, in order, and every parameter."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in without]
    placed = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return placed, {p.name: (p.kind, p.default) for p in parameters}


@pytest.mark.parametrize("client", [AsyncClient, Client])
@pytest.mark.parametrize("name", sorted(set(NAMES) - NOT_OVER_HTTP))
def test_the_client_takes_what_the_library_takes(client: type, name: str) -> None:
    library = next(
        vars(kind)[name]
        for kind in (Verbs, HoldVerbs, Recurring, Teams, Reads, Statements)
        if name in vars(kind)
    )
    without = frozenset(NOT_SENT | ONLY_OF_THE_LIBRARY.get(name, set()))
    assert _shape(getattr(client, name)) == _shape(library, without=without)


def test_what_the_client_leaves_out_is_there_to_be_left_out() -> None:
    assert set(NAMES) >= NOT_OVER_HTTP
    assert not any(hasattr(Client, name) for name in NOT_OVER_HTTP)
