"""heller: prepaid credits on PostgreSQL, accounted to the last credit.

While two systems are alive: ``route(user)`` says which one serves a user, ``Credits`` serves both with the same verbs, and
``HomeMiddleware``, ``HomeMiddlewareWsgi`` and ``is_moved`` are the router for the legacy application.
"""

TYPE_CHECKING = False
"""True for who reads types. Nothing is imported here, not even for this, so that ``heller`` answers Ctrl-C from the start."""

if TYPE_CHECKING:
    from heller.database import refusal_of
    from heller.ledger import (
        Account,
        Draw,
        Grant,
        Heller,
        Hold,
        HoldState,
        RecurringGrant,
        Transaction,
        route,
        within,
    )
    from heller.ledger.verify import verify
    from heller.migration.handover.facade import Credits, Movement
    from heller.migration.handover.routing import HomeMiddleware, HomeMiddlewareWsgi, is_moved

__all__ = [
    "Account",
    "Credits",
    "Draw",
    "Grant",
    "Heller",
    "Hold",
    "HoldState",
    "HomeMiddleware",
    "HomeMiddlewareWsgi",
    "Movement",
    "RecurringGrant",
    "Transaction",
    "is_moved",
    "refusal_of",
    "route",
    "verify",
    "within",
]

_ELSEWHERE = {
    "Credits": "migration.handover.facade",
    "Movement": "migration.handover.facade",
    "HomeMiddleware": "migration.handover.routing",
    "HomeMiddlewareWsgi": "migration.handover.routing",
    "is_moved": "migration.handover.routing",
    "refusal_of": "database",
}
"""Names by their module that are not the ledger's: a program without a legacy system does not load its migration."""


def __getattr__(name: str) -> object:
    """Load a name when it is first used: ``heller --help`` loads no driver of a database."""
    from importlib import import_module  # noqa: PLC0415  # as above

    if name not in __all__:
        raise AttributeError(f"module 'heller' has no attribute {name!r}")
    module = f"heller.{_ELSEWHERE.get(name, 'ledger')}"
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names, loaded or not."""
    return sorted({*globals(), *__all__})
