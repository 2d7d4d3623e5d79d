"""The verbs that change credits. Each is one operation of ``heller.apply``; the rules are in SQL.

A refusal (not enough credits, unknown account, ...) is raised as its typed error and changes nothing; inside
``within(connection)`` the caller's transaction goes on.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from heller.errors import HellerError
from heller.ledger.hold import HoldVerbs
from heller.ledger.operations import DEFAULT_UNIT, Operation, Result, known
from heller.ledger.results import Account, Grant, Transaction


class Verbs(HoldVerbs):
    """Every change of credits, by name. Amounts are whole credits of ``unit``.

    Arguments that all verbs share: ``key`` names the intent, so that a repeated call answers the first result
    (``replayed``); ``actor`` says who acts; ``metadata`` is up to 16 kB of JSON; ``dry_run`` answers what would
    happen and changes nothing; ``if_version`` refuses when the account has changed since it was read;
    ``effective_at`` is when it counts, if not now. An option without a meaning for a verb is refused (InvalidArgument);
    the table is in the README of this package.
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

    async def open_account(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        user: str | None = None,
        overdraft_limit: int = 0,
        metadata: Mapping[str, Any] | None = None,
        dry_run: bool = False,
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
                "dry_run": dry_run,
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
                **known(common),
            }
        )
        return result

    async def void(
        self,
        account: str,
        grant: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction | Grant:
        """Take back the unused rest of a grant; credits under a hold stay. A scheduled grant is called off.

        Raises:
            UnknownGrant: there is none of that number.
            ExceedsOriginal: nothing of it is left to take.
        """
        operation = {"verb": "void", "account": account, "grant": grant, "key": key, "reason": reason}
        operation |= {"effective_at": effective_at}
        result: Transaction | Grant = await self._do(operation | known(common))
        return result

    async def refund(
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
            "effective_at": effective_at,
        }
        result: Transaction = await self._do(operation | known(common))
        return result

    async def reverse(
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
            "effective_at": effective_at,
        }
        result: Transaction = await self._do(operation | known(common))
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
        result: Transaction = await self._do(operation | known(common))
        return result

    async def transfer(
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
        """Move credits to another account; they keep source, priority, expiry and cost. Options as ``spend``.

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
            "allow_partial": allow_partial,
            "min_available_after": min_available_after,
            "effective_at": effective_at,
        }
        result: Transaction = await self._do(operation | known(common))
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
        effective_at: datetime | None = None,
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
            "effective_at": effective_at,
        }
        result: Transaction = await self._do(operation | {"key": key, "reason": reason} | known(common))
        return result

    async def reinstate(
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
        """Undo a clawback: the dispute was won."""
        operation = {
            "verb": "reinstate",
            "account": account,
            "seq": seq,
            "amount": amount,
            "key": key,
            "reason": reason,
            "effective_at": effective_at,
        }
        result: Transaction = await self._do(operation | known(common))
        return result
