"""The client for asynchronous programs. ``synchronous.py`` is made of this file by ``tests/tools/clients.py``."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx

from heller.client.core import (
    AGAIN,
    RETRIES_MAX,
    TIMEOUT_SECONDS,
    Ask,
    at,
    given_or_scheduled,
    new_key,
    outcomes,
    part,
    pause,
    unreachable,
    verb,
)
from heller.errors import HellerError
from heller.ledger.operations import DEFAULT_HOLD_SECONDS, DEFAULT_UNIT
from heller.ledger.results import Account, Draw, FoundAccount, Grant, HoldState, Transaction, decoded
from heller.ledger.teams import Member
from heller.stripe.catalogue import Price
from heller.stripe.checkout import Order

T = TypeVar("T")

RESULTS: dict[str, Any] = {
    "open_account": Account,
    "hold": HoldState,
    "release": HoldState,
    "renew": HoldState,
    "grant": None,
    "void": None,
}


class AsyncClient:
    """heller over HTTP: the verbs and errors of the library.

    Each change has an idempotency key, yours or a new one for each call, so what failed on the way is tried again by
    itself without a second effect.

    ::

        async with AsyncClient("https://credits.example.org", key="heller_...") as heller:
            await heller.spend("user-1", 10, key="analysis-42", reason="job analysis")
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries_max: int = RETRIES_MAX,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: where heller is served, such as https://credits.example.org.
            key: an API key, or a token of the OpenID provider.
            timeout_seconds: how long to wait for one answer.
            retries_max: how often to ask again when there is none, or one that says so.
            transport: another way to the server, for tests.
        """
        self._retries_max = retries_max
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"authorization": f"Bearer {key}", "accept": "application/json"},
            timeout=timeout_seconds,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, ask: Ask[T]) -> T:
        for attempt in range(self._retries_max + 1):
            is_last = attempt == self._retries_max
            answer: httpx.Response | None = None
            try:
                answer = await self._http.request(
                    ask.method, ask.path, content=ask.content(), params=ask.params(), headers=ask.headers()
                )
            except httpx.TransportError as error:
                if is_last:
                    raise unreachable(error) from error
            if answer is not None and (is_last or answer.status_code not in AGAIN):
                return ask.result(answer)
            await asyncio.sleep(pause(attempt, answer))
        raise AssertionError  # the last try returns or raises

    # -- accounts

    async def open_account(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        user: str | None = None,
        overdraft_limit: int = 0,
        metadata: Mapping[str, Any] | None = None,
    ) -> Account:
        """Open an account for one unit; again with the same properties is a replay."""
        body = {
            "account": account,
            "unit": unit,
            "user": user,
            "overdraft_limit": overdraft_limit,
            "metadata": metadata,
        }
        return await self._send(Ask("POST", "/v1/accounts", Account, body))

    async def balance(self, account: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """posted, held and available at this instant."""
        return await self._send(Ask("GET", at(account), Account, query={"unit": unit}))

    async def balance_at(self, account: str, at_instant: datetime, *, unit: str = DEFAULT_UNIT) -> int:
        """Posted as of a past instant, by ``effective_at``."""
        query = {"at": at_instant, "unit": unit}
        found: dict[str, Any] = await self._send(
            Ask("GET", at(account, "/balance-at"), dict[str, Any], query=query)
        )
        return int(found["posted"])

    async def find_accounts(
        self, text: str | None = None, *, state: str | None = None, limit: int = 50
    ) -> list[FoundAccount]:
        """Accounts by any name of theirs, by its beginning; without ``text`` all."""
        query = {"text": text, "state": state, "limit": limit}
        return await self._items(Ask("GET", "/v1/accounts", dict[str, Any], query=query), FoundAccount)

    async def freeze(self, account: str, reason: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """Take no change of an account until ``unfreeze``."""
        return await self._send(
            Ask("POST", at(account, "/freeze"), Account, {"reason": reason, "unit": unit})
        )

    async def unfreeze(self, account: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """Let changes through again."""
        return await self._send(Ask("POST", at(account, "/unfreeze"), Account, {"unit": unit}))

    # -- verbs

    async def spend(
        self,
        account: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        allow_partial: bool = False,
        min_available_after: int | None = None,
        effective_at: datetime | None = None,
        **common: Any,
    ) -> Transaction:
        """Take credits for something. ``common``: unit, metadata, dry_run, if_version."""
        body = {
            "amount": amount,
            "reason": reason,
            "allow_partial": allow_partial or None,
            "min_available_after": min_available_after,
            "effective_at": effective_at,
        }
        return await self._send(verb(account, "/spend", Transaction, body, common, key=key))

    async def grant(
        self,
        account: str,
        amount: int,
        *,
        source: str = "promotion",
        key: str | None = None,
        reason: str | None = None,
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
            "priority": priority,
            "available_at": available_at,
            "expires_at": expires_at,
            "cost": cost,
            "currency": currency,
            "payment": payment,
            "effective_at": effective_at,
        }
        return given_or_scheduled(await self._send(verb(account, "/grants", dict, body, common, key=key)))

    async def void(
        self, account: str, grant: int, *, key: str | None = None, reason: str | None = None, **common: Any
    ) -> Transaction | Grant:
        """Take back the unused rest of a grant."""
        ask = verb(account, f"/grants/{grant}/void", dict, {"reason": reason}, common, key=key)
        return given_or_scheduled(await self._send(ask))

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
        """Undo a spend, wholly or in part."""
        body = {"seq": seq, "amount": amount, "reason": reason}
        return await self._send(verb(account, "/refund", Transaction, body, common, key=key))

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
        """Undo what is left of any transaction as a whole."""
        body = {"seq": seq, "policy": policy, "reason": reason}
        return await self._send(verb(account, "/reverse", Transaction, body, common, key=key))

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
        """Correct a balance by hand, up or down."""
        body = {"amount": amount, "reason": reason, "policy": policy, "effective_at": effective_at}
        return await self._send(verb(account, "/adjust", Transaction, body, common, key=key))

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
        """Move credits to another account, all or nothing."""
        body = {"to": to, "amount": amount, "reason": reason}
        return await self._send(verb(account, "/transfer", Transaction, body, common, key=key))

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
        """A payment was taken back: its credits go."""
        body = {"amount": amount, "payment": payment, "policy": policy, "reason": reason}
        return await self._send(verb(account, "/clawback", Transaction, body, common, key=key))

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
        """Undo a clawback."""
        body = {"seq": seq, "amount": amount, "reason": reason}
        return await self._send(verb(account, "/reinstate", Transaction, body, common, key=key))

    async def apply(
        self, operations: Sequence[Mapping[str, Any]], *, atomic: bool = False
    ) -> list[Transaction | Account | Grant | HoldState | HellerError]:
        """Do many operations in one call; each has its own result or error in the same place.

        One without a key gets one, so that the call can be tried again.
        """
        keyless = {"open_account", "release", "renew"}
        named = [
            {"key": new_key(), **operation} if operation.get("verb") not in keyless else dict(operation)
            for operation in operations
        ]
        ask: Ask[dict[str, Any]] = Ask(
            "POST", "/v1/batch", dict[str, Any], {"operations": named, "atomic": atomic}
        )
        answers = (await self._send(ask))["outcomes"]
        kinds = [RESULTS.get(str(operation.get("verb")), Transaction) for operation in operations]
        return outcomes(answers, kinds)

    # -- holds

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
        """Reserve credits for ``seconds``."""
        body = {"amount": amount, "seconds": seconds, "overrun_limit": overrun_limit, "reason": reason}
        return await self._send(verb(account, "/holds", HoldState, body, common, key=key))

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
        """Spend held credits: all that is left (no amount), or a part."""
        body = {"amount": amount, "final": final, "reason": reason}
        return await self._send(verb(account, f"/holds/{hold}/capture", Transaction, body, common, key=key))

    async def release(self, account: str, hold: int, *, unit: str = DEFAULT_UNIT) -> HoldState:
        """End a hold without spending; again is a replay."""
        return await self._send(Ask("POST", at(account, f"/holds/{hold}/release"), HoldState, {"unit": unit}))

    async def renew(
        self, account: str, hold: int, *, seconds: int = DEFAULT_HOLD_SECONDS, unit: str = DEFAULT_UNIT
    ) -> HoldState:
        """Make a hold last at least ``seconds`` from now."""
        body = {"seconds": seconds, "unit": unit}
        return await self._send(Ask("POST", at(account, f"/holds/{hold}/renew"), HoldState, body))

    def hold(self, account: str, amount: int, **arguments: Any) -> "AsyncHold":
        """Reserve credits for a block: captured when it ends, released when it raises. Arguments as ``place_hold``."""
        return AsyncHold(self, account, amount, arguments)

    # -- reads

    async def history(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        limit: int = 100,
        kinds: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> AsyncIterator[Transaction]:
        """Transactions, newest first, page after page; ``limit`` is the size of a page."""
        query: dict[str, Any] = {
            "unit": unit, "limit": limit, "kind": kinds, "since": since, "until": until, "text": text,
        }  # fmt: skip
        while True:
            ask: Ask[dict[str, Any]] = Ask("GET", at(account, "/transactions"), dict[str, Any], query=query)
            page = await self._send(ask)
            for item in page["items"]:
                yield decoded(item, Transaction)
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    async def grants(
        self, account: str, *, unit: str = DEFAULT_UNIT, include_ended: bool = False
    ) -> list[Grant]:
        """The grants in burn-down order with what remains of each now."""
        query = {"unit": unit, "include_ended": include_ended or None}
        return await self._items(Ask("GET", at(account, "/grants"), dict[str, Any], query=query), Grant)

    async def holds(
        self, account: str, *, unit: str = DEFAULT_UNIT, include_closed: bool = False
    ) -> list[HoldState]:
        """The open holds."""
        query = {"unit": unit, "include_closed": include_closed or None}
        return await self._items(Ask("GET", at(account, "/holds"), dict[str, Any], query=query), HoldState)

    async def drawn(self, account: str, seq: int, *, unit: str = DEFAULT_UNIT) -> list[Draw]:
        """Which grants paid a spend, in burn-down order."""
        ask: Ask[dict[str, Any]] = Ask(
            "GET", at(account, f"/transactions/{seq}/grants"), dict[str, Any], query={"unit": unit}
        )
        return await self._items(ask, Draw)

    async def route(self, user: str, *, unit: str = DEFAULT_UNIT) -> dict[str, Any]:
        """Which home serves a user now: ``home`` is heller, legacy, moving, or unknown."""
        return await self._send(
            Ask("GET", f"/v1/users/{part(user)}/route", dict[str, Any], query={"unit": unit})
        )

    async def add_identity(self, user: str, kind: str, name: str) -> None:
        """Make a name known as a user's."""
        ask: Ask[dict[str, Any]] = Ask(
            "POST", f"/v1/users/{part(user)}/identities", dict[str, Any], {"kind": kind, "name": name}
        )
        await self._send(ask)

    # -- teams

    async def put_member(
        self,
        account: str,
        member: str,
        *,
        cap: int | None = None,
        period: str = "month",
        unit: str = DEFAULT_UNIT,
    ) -> Member:
        """Let somebody spend from an account, up to ``cap`` credits per calendar period (UTC)."""
        body = {"cap": cap, "period": period, "unit": unit}
        return await self._send(Ask("PUT", at(account, f"/members/{part(member)}"), Member, body))

    async def remove_member(self, account: str, member: str, *, unit: str = DEFAULT_UNIT) -> Member:
        """End a membership."""
        return await self._send(
            Ask("DELETE", at(account, f"/members/{part(member)}"), Member, query={"unit": unit})
        )

    async def members(self, account: str, *, unit: str = DEFAULT_UNIT) -> list[Member]:
        """The members with what each has spent in the current period."""
        return await self._items(
            Ask("GET", at(account, "/members"), dict[str, Any], query={"unit": unit}), Member
        )

    async def spend_as(
        self,
        account: str,
        member: str,
        amount: int,
        *,
        key: str | None = None,
        reason: str | None = None,
        **common: Any,
    ) -> Transaction:
        """A member spends, as far as the account's credits and the member's cap allow."""
        body = {"amount": amount, "reason": reason}
        path = f"/members/{part(member)}/spend"
        return await self._send(verb(account, path, Transaction, body, common, key=key))

    # -- buying

    async def prices(self) -> list[Price]:
        """What can be bought."""
        return await self._items(Ask("GET", "/v1/prices", dict[str, Any]), Price)

    async def checkout(
        self,
        account: str,
        items: Sequence[Mapping[str, Any]],
        *,
        success_url: str,
        cancel_url: str,
        key: str | None = None,
        save_card: bool = False,
        unit: str = DEFAULT_UNIT,
        metadata: Mapping[str, Any] | None = None,
    ) -> Order:
        """Start a purchase; send the buyer to the order's ``session_url``. Items: ``price`` and ``quantity``."""
        body = {
            "items": list(items),
            "success_url": success_url,
            "cancel_url": cancel_url,
            "save_card": save_card,
            "unit": unit,
            "metadata": metadata,
        }
        return await self._send(Ask("POST", at(account, "/checkout"), Order, body, key=key or new_key()))

    async def portal_url(self, user: str, *, path: str = "/portal", seconds: int = 300) -> str:
        """A link that signs one of your users into the portal, once; redirect the user to it."""
        ask: Ask[dict[str, Any]] = Ask(
            "POST", "/v1/portal-sessions", dict[str, Any], {"user": user, "path": path, "seconds": seconds}
        )
        return str((await self._send(ask))["url"])

    async def _items(self, ask: Ask[dict[str, Any]], kind: type[T]) -> list[T]:
        return [decoded(item, kind) for item in (await self._send(ask))["items"]]


class AsyncHold:
    """A hold for a block; ``state`` is the hold as it was last seen."""

    def __init__(self, client: AsyncClient, account: str, amount: int, arguments: Mapping[str, Any]) -> None:
        self._client = client
        self._account = account
        self._amount = amount
        self._arguments = arguments
        self._unit = str(arguments.get("unit") or DEFAULT_UNIT)
        self._is_closed = False
        self.state: HoldState = cast("HoldState", None)

    async def __aenter__(self) -> Self:
        self.state = await self._client.place_hold(self._account, self._amount, **self._arguments)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_closed:
            return
        if error is None:
            await self.capture()
            return
        try:
            await self.release()
        except HellerError as failure:  # the block's own error matters more; the hold ends by itself
            error.add_note(f"The hold was not released now and ends by itself: {failure}")

    async def capture(
        self, amount: int | None = None, *, final: bool = True, **arguments: Any
    ) -> Transaction:
        """Spend all that is left (no amount) or a part; ``final=False`` keeps the hold open for more."""
        arguments.setdefault("unit", self._unit)
        result = await self._client.capture(self._account, self.state.hold, amount, final=final, **arguments)
        self._is_closed = self._is_closed or final
        return result

    async def release(self) -> HoldState:
        """Free what was not captured."""
        self.state = await self._client.release(self._account, self.state.hold, unit=self._unit)
        self._is_closed = True
        return self.state
