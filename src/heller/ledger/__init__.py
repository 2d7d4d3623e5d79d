"""The ledger: accounts, transactions, grants, holds; the verbs that change them and the proof that they add up."""

from heller.ledger.anchors import Anchor, VerificationSince, verify_since
from heller.ledger.heller import Heller, Within, WithinSession, within
from heller.ledger.hold import Hold
from heller.ledger.home import Home, route
from heller.ledger.recurring import RecurringGrant
from heller.ledger.results import Account, Draw, Grant, HoldState, Transaction
from heller.ledger.verify import Verification, verify

__all__ = [
    "Account",
    "Anchor",
    "Draw",
    "Grant",
    "Heller",
    "Hold",
    "HoldState",
    "Home",
    "RecurringGrant",
    "Transaction",
    "Verification",
    "VerificationSince",
    "Within",
    "WithinSession",
    "route",
    "verify",
    "verify_since",
    "within",
]
