"""Made of ``asynchronous/__init__.py`` by ``tests/tools/clients.py``; not edited."""

from heller.client.synchronous.accounts import Accounts
from heller.client.synchronous.buying import Buying
from heller.client.synchronous.credits import Credits
from heller.client.synchronous.holds import Hold, Holds
from heller.client.synchronous.recurring import Recurring
from heller.client.synchronous.teams import Teams

__all__ = ["Client", "Hold"]


class Client(Accounts, Credits, Holds, Recurring, Teams, Buying):
    """heller over HTTP: the verbs and errors of the library.

    Each change has an idempotency key, yours or a new one for each call, so what failed on the way is tried again by
    itself without a second effect.

    ::

        with Client("https://credits.example.org", key="heller_...") as heller:
            heller.spend("user-1", 10, key="analysis-42", reason="job analysis")
    """
