"""Made of ``asynchronous/buying.py`` by ``tests/tools/clients.py``; not edited."""

from collections.abc import Mapping, Sequence
from typing import Any

from heller.client.core import Ask, new_key, of
from heller.client.synchronous.caller import Caller
from heller.ledger.operations import DEFAULT_UNIT
from heller.stripe.catalogue import Price
from heller.stripe.checkout import Order


class Buying(Caller):
    """What can be bought, and links into the portal."""

    def prices(self) -> list[Price]:
        """What can be bought."""
        return self._items(Ask("GET", "/v1/prices", dict[str, Any]), Price)

    def checkout(
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
        return self._send(Ask("POST", of(account, "/checkout"), Order, body, key=key or new_key()))

    def portal_url(self, user: str, *, path: str = "/portal", seconds: int = 300) -> str:
        """A link that signs one of your users into the portal, once; redirect the user to it."""
        ask: Ask[dict[str, Any]] = Ask(
            "POST", "/v1/portal-sessions", dict[str, Any], {"user": user, "path": path, "seconds": seconds}
        )
        return str((self._send(ask))["url"])
