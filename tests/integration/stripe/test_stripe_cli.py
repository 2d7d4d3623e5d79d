"""``heller stripe`` as an operator meets it: a real process, its exit code and its JSON."""

import asyncio
import json
import sys
from typing import Any

from heller.stripe.events import REQUIRED_TYPES


async def heller(processes: Any, *arguments: str, code: int = 0, as_json: bool = True) -> Any:
    command = [
        sys.executable,
        "-m",
        "heller.cli.main",
        "stripe",
        *arguments,
        *(["--json"] if as_json else []),
    ]
    environment = processes.environment() | {"DATABASE_URL": processes.shop.url}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return json.loads(out) if as_json else (out + err).decode()


async def test_prices_are_added_listed_synced_and_retired(processes: Any) -> None:
    await heller(
        processes, "prices", "add", "big", "--credits", "500", "--amount", "4000", "--currency", "EUR"
    )
    refused = await heller(
        processes, "prices", "add", "big", "--credits", "501", "--amount", "4000", "--currency", "eur", code=2
    )
    assert refused["argument"] == "credits"
    huge = await heller(
        processes,
        "prices",
        "add",
        "huge",
        "--credits",
        "9" * 20,
        "--amount",
        "1",
        "--currency",
        "eur",
        code=2,
    )
    assert (huge["error"], huge["argument"]) == ("invalid_argument", "credits")
    assert set((await heller(processes, "prices", "sync", "--push"))["pushed"]) == {"big", "pack-100"}
    assert {p["price"] for p in await heller(processes, "prices", "list") if p["stripe_price"]} == {
        "big",
        "pack-100",
    }
    await heller(processes, "prices", "retire", "big")
    assert [p["price"] for p in await heller(processes, "prices", "list")] == ["pack-100"]


async def test_orphan_is_seen_shown_and_assigned(shop: Any, processes: Any) -> None:
    charge = shop.twin.dashboard_charge(500, "eur")["id"]
    await shop.deliver()
    await shop.work()
    listed = await heller(processes, "deliveries", "list", "--status", "parked")
    assert {(row["reason"], row["payment_key"]) for row in listed} == {("no_order", charge)}
    number = str(listed[0]["inbox_id"])
    assert charge in (await heller(processes, "deliveries", "show", number))["body"]
    assert (await heller(processes, "deliveries", "retry", number))["queued"] == 1
    await heller(processes, "deliveries", "ignore", number, "--reason", "looked at", "--actor", "joe")
    more = ("--account", "ann", "--credits", "50", "--reason", "by phone")
    assigned = await heller(processes, "deliveries", "assign", charge, *more)
    assert (assigned["outcome"], assigned["delta"], await shop.balance()) == ("applied", 50, 50)


async def test_reconcile_says_what_it_found_and_then_nothing(shop: Any, processes: Any) -> None:
    intent = await shop.paid()
    shop.twin.forget_pending()
    shop.twin.world.clock.advance(-3600)  # Stripe's hour of yesterday: old enough to have been told
    old = await shop.paid()
    shop.twin.forget_pending()
    found = await heller(processes, "reconcile", "--since", "6h", code=3)
    assert (found["clean"], found["events_missed"] > 0) == (False, True)
    await shop.work()
    assert (await shop.payment(old))["state"] == "settled"
    replayed = await heller(processes, "replay", "--payment", intent, "--dry-run")
    assert (replayed[0]["outcome"], replayed[0]["dry_run"], await shop.balance()) == ("applied", True, 100)
    replayed = await heller(processes, "replay", "--payment", intent)
    assert (replayed[0]["delta"], await shop.balance()) == (100, 200)
    assert [r["delta"] for r in await heller(processes, "replay", "--since", "1d")] == [0]
    event = shop.ids("payment_intent.succeeded", about=old)[0]
    assert [r["delta"] for r in await heller(processes, "replay", "--event", event)] == [0]
    assert await heller(processes, "discrepancies") == []


async def test_adjust_answers_a_payment_once_and_for_all(shop: Any, processes: Any) -> None:
    first = await shop.settled()
    second = shop.twin.pay_again(first)["id"]
    await shop.deliver()
    await shop.work()
    more = ("--payment", second, "--reason", "keeps both", "--actor", "joe")
    planned = await heller(processes, "adjust", "ann", "100", *more, "--dry-run")
    assert (planned["dry_run"], await shop.balance()) == (True, 100)
    for _ in range(2):
        await heller(processes, "adjust", "ann", "100", *more)
    await shop.converge(second)
    await shop.reconcile()
    assert (await shop.balance(), await shop.parked()) == (200, [])
    assert await shop.kinds() == [("purchase", 100), ("adjust", 100)]
    slip = ("adjust", "ann", "100", "--payment", "pi_nope", "--reason", "a slip of the pen")
    refused = await heller(processes, *slip, code=2)
    assert (refused["error"], await shop.balance()) == ("invalid_argument", 200)
    await heller(processes, *slip, "--even-unseen")
    assert await shop.balance() == 300


async def test_doctor_names_what_is_wrong(shop: Any, processes: Any) -> None:
    found = await heller(processes, "doctor")
    assert (found["ok"], [c["name"] for c in found["checks"] if c["status"] == "failed"]) == (True, [])
    endpoint = f"endpoint {shop.twin.world.store.holding(shop.endpoint).find(shop.endpoint)['url']}"
    changes = {"status": "disabled", "enabled_events": ["invoice.paid"], "api_version": "2020-08-27"}
    shop.twin.tamper(shop.endpoint, changes)
    found = await heller(processes, "doctor", code=1)
    status = {check["name"]: check["status"] for check in found["checks"]}
    assert (status[endpoint], status[f"{endpoint}: events"], status[f"{endpoint}: version"]) == (
        "failed",
        "failed",
        "warning",
    )
    missing = next(c["found"] for c in found["checks"] if c["name"] == f"{endpoint}: events")
    assert all(name in missing for name in REQUIRED_TYPES - {"invoice.paid"})
    shop.twin.revoke_key(shop.settings.secret_key)
    found = await heller(processes, "doctor", code=1)
    assert [c["name"] for c in found["checks"] if c["status"] == "failed"] == ["key"]


async def test_stripe_that_refuses_is_an_error_with_a_hint(shop: Any, processes: Any) -> None:
    shop.twin.revoke_key(shop.settings.secret_key)
    refused = await heller(processes, "reconcile", code=1)
    assert (refused["error"], "heller stripe doctor" in refused["hint"]) == ("provider", True)


async def test_blank_secret_refuses_to_start(shop: Any, processes: Any) -> None:
    shop.with_settings(webhook_secrets=("",))
    assert "STRIPE_WEBHOOK_SECRETS is blank" in await heller(processes, "doctor", code=2, as_json=False)
