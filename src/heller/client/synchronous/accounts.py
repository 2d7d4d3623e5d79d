"""Made of ``asynchronous/accounts.py`` by ``tests/tools/clients.py``; not edited."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from heller.client.core import Ask, of, part
from heller.client.synchronous.caller import Caller
from heller.ledger.operations import DEFAULT_UNIT
from heller.ledger.results import Account, Draw, FoundAccount, Transaction, decoded
from heller.ledger.statements import Usage, UsageLine


class Accounts(Caller):
    """Accounts and what is read of them."""

    def open_account(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        user: str | None = None,
        overdraft_limit: int = 0,
        metadata: Mapping[str, Any] | None = None,
        dry_run: bool = False,
    ) -> Account:
        """Open an account for one unit; again with the same properties is a replay."""
        body = {
            "account": account,
            "unit": unit,
            "user": user,
            "overdraft_limit": overdraft_limit,
            "metadata": metadata,
            "dry_run": dry_run or None,
        }
        return self._send(Ask("POST", "/v1/accounts", Account, body))

    def balance(self, account: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """posted, held and available at this instant."""
        return self._send(Ask("GET", of(account), Account, query={"unit": unit}))

    def balance_at(self, account: str, at: datetime, *, unit: str = DEFAULT_UNIT) -> int:
        """Posted as of a past instant, by ``effective_at``."""
        query = {"at": at, "unit": unit}
        found: dict[str, Any] = self._send(
            Ask("GET", of(account, "/balance-at"), dict[str, Any], query=query)
        )
        return int(found["posted"])

    def usage(
        self,
        account: str,
        since: datetime,
        until: datetime,
        *,
        unit: str = DEFAULT_UNIT,
        zone: str = "UTC",
        features: int = 6,
    ) -> list[Usage]:
        """Spends per day and feature, by ``effective_at``, less what was refunded; the ``features`` largest are named."""
        query = {"since": since, "until": until, "unit": unit, "zone": zone, "features": features}
        return self._items(Ask("GET", of(account, "/usage"), dict[str, Any], query=query), Usage)

    def usage_report(
        self,
        since: datetime,
        until: datetime,
        *,
        by: str = "feature",
        per: str | None = None,
        unit: str = DEFAULT_UNIT,
        zone: str = "UTC",
        names: int = 100,
    ) -> list[UsageLine]:
        """What all accounts spent, by feature, reason, account or ``metadata.NAME``; a closed period never changes."""
        query = {
            "since": since,
            "until": until,
            "by": by,
            "per": per,
            "unit": unit,
            "zone": zone,
            "names": names,
        }
        return self._items(Ask("GET", "/v1/reports/usage", dict[str, Any], query=query), UsageLine)

    def find_accounts(
        self, text: str | None = None, *, state: str | None = None, limit: int = 50
    ) -> list[FoundAccount]:
        """Accounts by any name of theirs, by its beginning; without ``text`` all."""
        query = {"text": text, "state": state, "limit": limit}
        return self._items(Ask("GET", "/v1/accounts", dict[str, Any], query=query), FoundAccount)

    def change_account(
        self,
        account: str,
        *,
        overdraft_limit: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        unit: str = DEFAULT_UNIT,
        if_version: int | None = None,
        dry_run: bool = False,
    ) -> Account:
        """Change how far an account may go below zero, or its metadata; what is not given stays."""
        body = {
            "overdraft_limit": overdraft_limit,
            "metadata": metadata,
            "unit": unit,
            "dry_run": dry_run or None,
        }
        return self._send(Ask("PATCH", of(account), Account, body, if_version=if_version))

    def freeze(self, account: str, reason: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """Take no change of an account until ``unfreeze``."""
        return self._send(Ask("POST", of(account, "/freeze"), Account, {"reason": reason, "unit": unit}))

    def unfreeze(self, account: str, *, unit: str = DEFAULT_UNIT) -> Account:
        """Let changes through again."""
        return self._send(Ask("POST", of(account, "/unfreeze"), Account, {"unit": unit}))

    def history(
        self,
        account: str,
        *,
        unit: str = DEFAULT_UNIT,
        limit: int = 100,
        kinds: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> Iterator[Transaction]:
        """Transactions, newest first, page after page; ``limit`` is the size of a page."""
        query: dict[str, Any] = {
            "unit": unit, "limit": limit, "kind": kinds, "since": since, "until": until, "text": text,
        }  # fmt: skip
        while True:
            ask: Ask[dict[str, Any]] = Ask("GET", of(account, "/transactions"), dict[str, Any], query=query)
            page = self._send(ask)
            for item in page["items"]:
                yield decoded(item, Transaction)
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def drawn(self, account: str, seq: int, *, unit: str = DEFAULT_UNIT) -> list[Draw]:
        """Which grants paid a spend, in burn-down order."""
        ask: Ask[dict[str, Any]] = Ask(
            "GET", of(account, f"/transactions/{seq}/grants"), dict[str, Any], query={"unit": unit}
        )
        return self._items(ask, Draw)

    def route(self, account: str, *, unit: str = DEFAULT_UNIT) -> dict[str, Any]:
        """Which home serves a user now: ``home`` is heller, legacy, moving, or unknown."""
        return self._send(
            Ask("GET", f"/v1/users/{part(account)}/route", dict[str, Any], query={"unit": unit})
        )

    def add_identity(self, user: str, kind: str, name: str) -> None:
        """Make a name known as a user's."""
        ask: Ask[dict[str, Any]] = Ask(
            "POST", f"/v1/users/{part(user)}/identities", dict[str, Any], {"kind": kind, "name": name}
        )
        self._send(ask)
