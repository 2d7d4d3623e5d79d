"""heller: prepaid credits on PostgreSQL, accounted to the last credit."""

from heller.ledger import Account, Draw, Grant, Heller, Hold, HoldState, Transaction, verify, within

__all__ = ["Account", "Draw", "Grant", "Heller", "Hold", "HoldState", "Transaction", "verify", "within"]
