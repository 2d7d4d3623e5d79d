"""Made of ``asynchronous/credits.py`` by ``tests/tools/clients.py``; not edited."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from heller.client.core import Ask, given_or_scheduled, new_key, of, outcomes, verb
from heller.client.synchronous.caller import Caller
from heller.errors import HellerError
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Account, Grant, HoldState, Transaction

RESULTS: dict[str, Any] = {
    "open_account": Account,
    "hold": HoldState,
    "release": HoldState,
    "renew": HoldState,
    "grant": None,
    "void": None,
}


class Credits(Caller):
    """The verbs that change credits, and grants."""

    def spend(
        self,
        account: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        unit: str = DEFAULT_UNIT,
        metadata: Mapping[str, Any] | None = None,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        effective_at: datetime | None = None,
        if_version: int | None = None,
        dry_run: bool = False,
    ) -> Transaction:
        """Take credits for something. ``allow_partial`` takes what is there; ``min_available_after`` keeps a rest."""
        body = {
            "amount": amount,
            "reason": reason,
            "allow_partial": allow_partial or None,
            "min_available_after": min_available_after,
            "effective_at": effective_at,
        }
        common = {"unit": unit, "metadata": metadata, "if_version": if_version, "dry_run": dry_run or None}
        return self._send(verb(account, "/spend", Transaction, body, common, key=key))

    def grant(
        self,
        account: str,
        amount: int,
        *,
        source: str = "promotion",
        key: str | None = None,
        reason: str | None = None,
        unit: str = DEFAULT_UNIT,
        priority: int = 100,
        available_at: datetime | None = None,
        expires_at: datetime | None = None,
        cost: int = 0,
        currency: str | None = None,
        payment: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction | Grant:
        """Give credits: a Transaction at once, a scheduled Grant when ``available_at`` is ahead."""
        body = {
            "amount": amount,
            "source": source,
            "reason": reason,
            "unit": unit,
            "priority": priority,
            "available_at": available_at,
            "expires_at": expires_at,
            "cost": cost,
            "currency": currency,
            "payment": payment,
            "effective_at": effective_at,
        }
        return given_or_scheduled(self._send(verb(account, "/grants", dict, body, common, key=key)))

    def void(
        self,
        account: str,
        grant: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction | Grant:
        """Take back the unused rest of a grant."""
        body = {"reason": reason, "effective_at": effective_at}
        ask = verb(account, f"/grants/{grant}/void", dict, body, common, key=key)
        return given_or_scheduled(self._send(ask))

    def refund(
        self,
        account: str,
        seq: int,
        amount: int | None = None,
        *,
        key: str | None = None,
        reason: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Undo a spend, wholly or in part."""
        body = {"seq": seq, "amount": amount, "reason": reason, "effective_at": effective_at}
        return self._send(verb(account, "/refund", Transaction, body, common, key=key))

    def reverse(
        self,
        account: str,
        seq: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        policy: str = "refuse",
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Undo what is left of any transaction as a whole."""
        body = {"seq": seq, "policy": policy, "reason": reason, "effective_at": effective_at}
        return self._send(verb(account, "/reverse", Transaction, body, common, key=key))

    def adjust(
        self,
        account: str,
        amount: int,
        *,
        reason: str,
        key: str | None = None,
        policy: str = "refuse",
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Correct a balance by hand, up or down."""
        body = {"amount": amount, "reason": reason, "policy": policy, "effective_at": effective_at}
        return self._send(verb(account, "/adjust", Transaction, body, common, key=key))

    def transfer(
        self,
        account: str,
        to: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Move credits to another account. Options as ``spend``."""
        body = {
            "to": to,
            "amount": amount,
            "reason": reason,
            "allow_partial": allow_partial or None,
            "min_available_after": min_available_after,
            "effective_at": effective_at,
        }
        return self._send(verb(account, "/transfer", Transaction, body, common, key=key))

    def clawback(
        self,
        account: str,
        amount: int,
        *,
        payment: str | None = None,
        policy: str = "debt",
        key: str | None = None,
        reason: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """A payment was taken back: its credits go."""
        body = {
            "amount": amount,
            "payment": payment,
            "policy": policy,
            "reason": reason,
            "effective_at": effective_at,
        }
        return self._send(verb(account, "/clawback", Transaction, body, common, key=key))

    def reinstate(
        self,
        account: str,
        seq: int,
        amount: int | None = None,
        *,
        key: str | None = None,
        reason: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Undo a clawback."""
        body = {"seq": seq, "amount": amount, "reason": reason, "effective_at": effective_at}
        return self._send(verb(account, "/reinstate", Transaction, body, common, key=key))

    def apply(
        self, operations: Sequence[Mapping[str, Any]], *, atomic: bool = False
    ) -> list[Transaction | Account | Grant | HoldState | HellerError]:
        """Do many operations in one call; each has its own result or error in the same place.

        One without a key gets one, so that the call can be tried again.
        """
        keyless = {"open_account", "release", "renew"}
        named = [
            dict(operation)
            if operation.get("verb") in keyless or operation.get("key") is not None
            else {**operation, "key": new_key()}
            for operation in operations
        ]
        ask: Ask[dict[str, Any]] = Ask(
            "POST", "/v1/batch", dict[str, Any], {"operations": named, "atomic": atomic}
        )
        answers = (self._send(ask))["outcomes"]
        kinds = [RESULTS.get(str(operation.get("verb")), Transaction) for operation in operations]
        return outcomes(answers, kinds)

    def grants(self, account: str, *, unit: str = DEFAULT_UNIT, include_ended: bool = False) -> list[Grant]:
        """The grants in burn-down order with what remains of each now."""
        query = {"unit": unit, "include_ended": include_ended or None}
        return self._all(Ask("GET", of(account, "/grants"), dict[str, Any], query=query), Grant)
