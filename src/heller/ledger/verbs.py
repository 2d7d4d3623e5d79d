"""The verbs that change credits. Each is one operation of ``heller.apply``; the rules are in SQL.

A refusal (not enough credits, unknown account, ...) is raised as its typed error and changes nothing; inside
``within(connection)`` the caller's transaction goes on.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from heller.errors import HellerError
from heller.ledger.operations import DEFAULT_HOLD_SECONDS, DEFAULT_UNIT, Operation, Result
from heller.ledger.results import Account, Grant, HoldState, Transaction


class Verbs(ABC):
    """Every change of credits, by name. Amounts are whole credits of ``unit``.

    Arguments that all verbs share: ``key`` names the intent, so that a repeated call answers the first result
    (``replayed``); ``actor`` says who acts; ``metadata`` is up to 16 kB of JSON; ``dry_run`` answers what would
    happen and changes nothing; ``if_version`` refuses when the account has changed since it was read.
    """

    @abstractmethod
    async def apply(
        self, operations: Sequence[Operation], *, atomic: bool = False
    ) -> list[Result | HellerError]:
        """Do many operations in one call; each has its own result or error in the same place.

        Args:
            operations: mappings with ``verb``, ``account`` and the arguments of the verb; at most 10,000.
            atomic: all or none: the first refusal is raised and nothing has changed.
        """

    @abstractmethod
    async def _do(self, operation: Operation) -> Any:
        """Do one operation: the result, or raise its error."""

    async def open_account(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        user: str | None = None,
        overdraft_limit: int = 0,
        metadata: Mapping[str, Any] | None = None,
    ) -> Account:
        """Open an account for one unit; again with the same properties is a replay.

        Raises:
            AccountExists: with other properties.
        """
        result: Account = await self._do(
            {
                "verb": "open_account",
                "account": account,
                "unit": unit,
                "user": user,
                "overdraft_limit": overdraft_limit,
                "metadata": metadata,
            }
        )
        return result

    async def spend(
        self,
        account: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        unit: str = DEFAULT_UNIT,
        actor: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        effective_at: datetime | None = None,
        if_version: int | None = None,
        dry_run: bool = False,
    ) -> Transaction:
        """Take credits for something. ``allow_partial`` takes what is there; ``min_available_after`` keeps a rest.

        Raises:
            InsufficientCredits: available is less than the amount.
            UnknownAccount, AccountFrozen, StaleVersion, IdempotencyConflict, InvalidArgument: as named.
        """
        operation = {"verb": "spend", "account": account, "amount": amount, "key": key, "reason": reason}
        if unit != DEFAULT_UNIT:
            operation["unit"] = unit
        if actor is not None or metadata is not None:
            operation |= {"actor": actor, "metadata": metadata}
        if allow_partial or min_available_after is not None or effective_at is not None:
            operation |= {
                "allow_partial": allow_partial,
                "min_available_after": min_available_after,
                "effective_at": effective_at,
            }
        if if_version is not None or dry_run:
            operation |= {"if_version": if_version, "dry_run": dry_run}
        result: Transaction = await self._do(operation)
        return result

    async def grant(
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
        """Give credits: a Transaction at once, a scheduled Grant when ``available_at`` is ahead.

        Args:
            source: purchase, promotion, subscription, adjustment or migration.
            priority: smaller burns first (then soonest expiry, promotion before paid, oldest).
            cost: what was paid for all of them, in minor units of ``currency``.
            payment: the key of the payment that bought them.
            common: actor, metadata, if_version, dry_run.
        """
        result: Transaction | Grant = await self._do(
            {
                "verb": "grant",
                "account": account,
                "amount": amount,
                "source": source,
                "key": key,
                "reason": reason,
                "unit": unit,
                "priority": priority,
                "available_at": available_at,
                "expires_at": expires_at,
                "cost": cost,
                "currency": currency,
                "payment": payment,
                "effective_at": effective_at,
                **_known(common),
            }
        )
        return result

    async def void(
        self, account: str, grant: int, *, key: str | None = None, reason: str | None = None, **common: Any
    ) -> Transaction | Grant:
        """Take back the unused rest of a grant; credits under a hold stay. A scheduled grant is called off.

        Raises:
            UnknownGrant: there is none of that number.
            ExceedsOriginal: nothing of it is left to take.
        """
        operation = {"verb": "void", "account": account, "grant": grant, "key": key, "reason": reason}
        result: Transaction | Grant = await self._do(operation | _known(common))
        return result

    async def refund(
        self,
        account: str,
        seq: int,
        amount: int | None = None,
        *,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """Undo a spend, wholly (no amount) or in part, into the grants that paid it.

        Raises:
            UnknownTransaction: there is none with that seq.
            ExceedsOriginal: more than what is left of it.
        """
        operation = {
            "verb": "refund",
            "account": account,
            "seq": seq,
            "amount": amount,
            "key": key,
            "reason": reason,
        }
        result: Transaction = await self._do(operation | _known(common))
        return result

    async def reverse(
        self,
        account: str,
        seq: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        policy: str = "refuse",
        **common: Any,
    ) -> Transaction:
        """Undo what is left of any transaction as a whole, whatever its kind.

        A spend is refunded, a clawback reinstated, a grant taken back, an expiry returned, a transfer sent back.
        ``policy`` debt lets what was used since become debt.

        Raises:
            InsufficientCredits: what it gave has been used, with policy refuse.
            UnknownTransaction: there is none with that seq.
            ExceedsOriginal: nothing of it is left to undo.
        """
        operation = {
            "verb": "reverse",
            "account": account,
            "seq": seq,
            "policy": policy,
            "key": key,
            "reason": reason,
        }
        result: Transaction = await self._do(operation | _known(common))
        return result

    async def adjust(
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
        """Correct a balance by hand, up (positive) or down. ``policy`` debt lets it go below zero.

        Raises:
            InsufficientCredits: down beyond available with policy refuse.
        """
        operation = {"verb": "adjust", "account": account, "amount": amount, "key": key, "reason": reason}
        operation |= {"policy": policy, "effective_at": effective_at}
        result: Transaction = await self._do(operation | _known(common))
        return result

    async def transfer(
        self,
        account: str,
        to: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """Move credits to another account, all or nothing; they keep source, priority, expiry and cost.

        Raises:
            InsufficientCredits: available is less than the amount.
        """
        operation = {
            "verb": "transfer",
            "account": account,
            "to": to,
            "amount": amount,
            "key": key,
            "reason": reason,
        }
        result: Transaction = await self._do(operation | _known(common))
        return result

    async def clawback(
        self,
        account: str,
        amount: int,
        *,
        payment: str | None = None,
        policy: str = "debt",
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """A payment was taken back: its credits go, from its own grant first.

        ``policy``: debt (what was spent becomes debt), clamp (never below what is free), grant (only the rest of
        that purchase). What was not taken is ``shortfall``.
        """
        operation = {
            "verb": "clawback",
            "account": account,
            "amount": amount,
            "payment": payment,
            "policy": policy,
        }
        result: Transaction = await self._do(operation | {"key": key, "reason": reason} | _known(common))
        return result

    async def reinstate(
        self,
        account: str,
        seq: int,
        amount: int | None = None,
        *,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """Undo a clawback: the dispute was won."""
        operation = {
            "verb": "reinstate",
            "account": account,
            "seq": seq,
            "amount": amount,
            "key": key,
            "reason": reason,
        }
        result: Transaction = await self._do(operation | _known(common))
        return result

    async def place_hold(
        self,
        account: str,
        amount: int,
        *,
        seconds: int = DEFAULT_HOLD_SECONDS,
        overrun_limit: int = 0,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> HoldState:
        """Reserve credits for ``seconds``. ``overrun_limit``: how much more a capture may take.

        Raises:
            InsufficientCredits: available is less than the amount.
        """
        operation = {"verb": "hold", "account": account, "amount": amount, "seconds": seconds, "key": key}
        operation |= {"reason": reason, "overrun_limit": overrun_limit}
        result: HoldState = await self._do(operation | _known(common))
        return result

    async def capture(
        self,
        account: str,
        hold: int,
        amount: int | None = None,
        *,
        final: bool = True,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """Spend held credits: all that is left (no amount), or a part; ``final`` frees the rest.

        Raises:
            UnknownHold, HoldNotOpen: there is nothing to capture.
            ExceedsOriginal: more than the hold and its overrun_limit.
        """
        operation = {"verb": "capture", "account": account, "hold": hold, "amount": amount, "final": final}
        result: Transaction = await self._do(operation | {"key": key, "reason": reason} | _known(common))
        return result

    async def release(self, account: str, hold: int, *, unit: str = DEFAULT_UNIT, **common: Any) -> HoldState:
        """End a hold without spending; again is a replay."""
        operation = {"verb": "release", "account": account, "hold": hold, "unit": unit}
        result: HoldState = await self._do(operation | _known(common))
        return result

    async def renew(
        self,
        account: str,
        hold: int,
        *,
        seconds: int = DEFAULT_HOLD_SECONDS,
        unit: str = DEFAULT_UNIT,
        **common: Any,
    ) -> HoldState:
        """Make a hold last at least ``seconds`` from now; it never ends sooner than before."""
        operation = {"verb": "renew", "account": account, "hold": hold, "seconds": seconds, "unit": unit}
        result: HoldState = await self._do(operation | _known(common))
        return result


_COMMON = frozenset({"unit", "actor", "metadata", "if_version", "dry_run"})


def _known(common: Mapping[str, Any]) -> dict[str, Any]:
    unknown = common.keys() - _COMMON
    if unknown:
        raise TypeError(f"unexpected argument {min(unknown)}; known are {', '.join(sorted(_COMMON))}")
    return dict(common)
