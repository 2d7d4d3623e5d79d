"""The worker as a process of its own: ``stripe_worker.py DATABASE_URL LEASE_SECONDS HANG``; settings from the environment.

``HANG`` is ``no``, ``claim`` to hang after an event is claimed, or ``look`` to hang after Stripe was asked.
"""

import asyncio
import signal
import sys
from typing import Any

from heller.database import Database
from heller.stripe import StripeApi, inbox, load
from heller.stripe.converge import converge

converging = sys.modules["heller.stripe.converge"]


async def hang(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()
    await asyncio.sleep(3600)


async def work(url: str, lease_seconds: float, where: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    api = StripeApi(load())
    database = await Database.open(url, pool_max=6)
    real = converging.look  # type: ignore[attr-defined]

    async def looked(*arguments: Any, **options: Any) -> Any:
        if where == "claim":
            await hang("claimed")
        found = await real(*arguments, **options)
        if where == "look":
            await hang("looked")
        return found

    converging.look = looked  # type: ignore[attr-defined]
    await inbox.run(
        database,
        api,
        url,
        stop=stop,
        poll_seconds=0.2,
        lease_seconds=lease_seconds,
        delay_seconds=0.2,
        converging=converge,
    )
    await api.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
