"""The ledger's state machine, every verb of it over HTTP: the API neither adds to the ledger nor takes from it."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from heller.database import REFUSALS
from sql.test_ledger_machine import MOVABLE_CLOCK, LedgerMachine

EXAMPLES, STEPS = 6, 25
SQLSTATE = {kind.code: state for state, kind in REFUSALS.items()}
PATHS = {
    "open_account": ("POST", "/v1/accounts"),
    "balance": ("GET", "/v1/accounts/{account}"),
    "balance_at": ("GET", "/v1/accounts/{account}/balance-at"),
    "hold": ("POST", "/v1/accounts/{account}/holds"),
    "grant": ("POST", "/v1/accounts/{account}/grants"),
    "spend_as": ("POST", "/v1/accounts/{account}/members/{member_id}/spend"),
    "put_member": ("PUT", "/v1/accounts/{account}/members/{member_id}"),
    "remove_member": ("DELETE", "/v1/accounts/{account}/members/{member_id}"),
    "put_recurring_grant": ("PUT", "/v1/accounts/{account}/recurring-grants/{name}"),
    "remove_recurring_grant": ("DELETE", "/v1/accounts/{account}/recurring-grants/{name}"),
    "void": ("POST", "/v1/accounts/{account}/grants/{grant_id}/void"),
    **{
        verb: ("POST", f"/v1/accounts/{{account}}/holds/{{hold_id}}/{verb}")
        for verb in ("capture", "release", "renew")
    },
}
NAMES = {"payment_key": "payment", "account_id": "account"}


class RefusedError(psycopg.Error):
    """A problem as the machine expects refusals: by heller's SQL code."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.sqlstate = SQLSTATE[problem["code"]]


class HttpMachine(LedgerMachine):
    send: Any
    is_batching = False

    def _call(self, function: str, **arguments: Any) -> Any:
        given = {NAMES.get(n, n): v for n, v in arguments.items() if v is not None}
        method, path = PATHS.get(function, ("POST", f"/v1/accounts/{{account}}/{function}"))
        places = {
            n: given.pop(n)
            for n in ("account", "hold_id", "grant_id", "member_id", "name")
            if n in given and f"{{{n}}}" in path
        }
        headers = {"idempotency-key": given.pop("key")} if "key" in given else {}
        options: dict[str, Any] = {"json": given} if method in {"POST", "PUT"} else {"params": given}
        answer = self.send(method, path.format(**places), headers=headers, **options)
        if answer.is_error:
            raise RefusedError(answer.json())
        result = answer.json()
        assert ("idempotent-replayed" in answer.headers) == result.get("replayed", False)
        return (
            result["posted"]
            if function == "balance_at"
            else {n: v for n, v in result.items() if v is not None}
        )


class Loop:
    """The application on a loop of its own; ``send`` asks it from outside."""

    def __init__(self, serving: Any) -> None:
        self._serving = serving
        self._ready: Future[Any] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._loop, self._stop, self._api = self._ready.result()

    async def _run(self) -> None:
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            try:
                web = await stack.enter_async_context(self._serving)
            except BaseException as error:
                self._ready.set_exception(error)
                raise
            self._ready.set_result((asyncio.get_running_loop(), stop, web.api))
            await stop.wait()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        for name, value in options.get("json", options.get("params", {})).items():
            if hasattr(value, "isoformat"):
                options["json" if "json" in options else "params"][name] = value.isoformat()
        return asyncio.run_coroutine_threadsafe(
            self._api.request(method, path, **options), self._loop
        ).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture
def connection(heller_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(heller_database, autocommit=True) as opened:
        opened.execute(MOVABLE_CLOCK)
        yield opened


def test_every_verb_over_http_agrees_with_the_model(serve, heller_database, connection) -> None:
    loop = Loop(serve(heller_database))
    try:

        class Machine(HttpMachine):
            send = staticmethod(loop.send)

        Machine.connection = connection
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True,
                phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
        for verb, amount in (("grants", 5), ("spend", 3)):  # whatever the programs were, something was spent
            loop.send("POST", "/v1/accounts", json={"account": "sure"})
            assert loop.send("POST", f"/v1/accounts/sure/{verb}", json={"amount": amount}).is_success
    finally:
        loop.close()
    (trial,) = connection.execute("select heller.trial_balance()").fetchone()
    assert trial["difference"] == 0
    actors = connection.execute(
        "select distinct actor is null from heller.transactions where kind = 'spend'"
    ).fetchall()
    assert actors == [(False,)], "every spend over HTTP has an actor"
