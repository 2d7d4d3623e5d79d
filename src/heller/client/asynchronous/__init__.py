"""The client for asynchronous programs, by noun. The folder ``synchronous`` is made of this one by ``tests/tools/clients.py``."""

from heller.client.asynchronous.accounts import AsyncAccounts
from heller.client.asynchronous.buying import AsyncBuying
from heller.client.asynchronous.credits import AsyncCredits
from heller.client.asynchronous.holds import AsyncHold, AsyncHolds
from heller.client.asynchronous.recurring import AsyncRecurring
from heller.client.asynchronous.teams import AsyncTeams

__all__ = ["AsyncClient", "AsyncHold"]


class AsyncClient(AsyncAccounts, AsyncCredits, AsyncHolds, AsyncRecurring, AsyncTeams, AsyncBuying):
    """heller over HTTP: the verbs and errors of the library.

    Each change has an idempotency key, yours or a new one for each call, so what failed on the way is tried again by
    itself without a second effect.

    ::

        async with AsyncClient("https://credits.example.org", key="heller_...") as heller:
            await heller.spend("user-1", 10, key="analysis-42", reason="job analysis")
    """
