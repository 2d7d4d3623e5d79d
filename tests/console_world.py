"""What operators have to deal with: a legacy system that is being left, deliveries in every state, accounts with a past."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg

import legacy_sample
from handover_world import fenced
from heller import Heller
from heller.migration import run
from heller.rollout import controller, state
from heller.rollout.observing import observe
from ui_site import live

SETTINGS = {"users_min": 20, "kinds_needed": ["spend"], "no_data_seconds": 900}

_DELIVERIES = """
insert into heller.inbox (livemode, event_id, type, api_version, body, body_sha256, via, secret_slot, object_kind, object_id, payment_key,
                          deliveries, status, attempts, reason, detail, received_at, delivered_at, closed_at)
select false, 'evt_1Demo' || n, t.type, '2026-01-28.clover', convert_to(b.body, 'utf8'), sha256(convert_to(b.body, 'utf8')), t.via, 0, t.kind, t.object,
       t.payment, t.deliveries, t.status, t.attempts, t.reason, t.detail, clock_timestamp() - t.age * a.part, clock_timestamp() - t.age * a.part,
       case when t.status in ('done', 'ignored', 'parked', 'dead') then clock_timestamp() - t.age * a.part + interval '1 second' end
from (values
  (1, 'checkout.session.completed', 'webhook', 'checkout.session', 'cs_test_a1', 'pi_3Demo1', 1, 'done', 1, null, null, interval '3 hours'),
  (2, 'charge.refunded', 'webhook', 'charge', 'ch_3Demo2', 'pi_3Demo2', 2, 'done', 1, null, null, interval '2 hours'),
  (3, 'payment_intent.succeeded', 'webhook', 'payment_intent', 'pi_3Demo3', 'pi_3Demo3', 1, 'parked', 1, 'no_order', 'paid, but nothing we sold', interval '70 minutes'),
  (4, 'charge.dispute.created', 'webhook', 'dispute', 'dp_1Demo4', 'pi_3Demo4', 4, 'dead', 12, 'failed', 'Stripe answered 500 to every look', interval '5 hours'),
  (5, 'invoice.paid', 'reconcile', 'invoice', 'in_1Demo5', 'in_1Demo5', 1, 'ignored', 1, 'by_hand', 'a test of ours', interval '1 day'),
  (6, 'charge.updated', 'webhook', 'charge', 'ch_3Demo6', 'pi_3Demo6', 1, 'pending', 0, null, null, interval '12 seconds')
) t (n, type, via, kind, object, payment, deliveries, status, attempts, reason, detail, age),
(select %s::double precision as part) a,
lateral (select jsonb_pretty(jsonb_build_object('id', 'evt_1Demo' || n, 'object', 'event', 'type', t.type, 'data', jsonb_build_object('object',
  jsonb_build_object('id', t.object, 'object', t.kind, 'amount', 1900, 'currency', 'eur', 'client_secret', 'pi_secret_of_the_buyer')))) as body) b
"""


async def deliveries(database_url: str, *, ages: float = 1.0) -> None:
    """The inbox with an event in every state, hours old or a part of that, and two discrepancies."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(_DELIVERIES, [ages])
        await connection.execute(
            "select heller.stripe_discrepancy('missed', 'pi_3Demo2', p_state => 'healed', p_note => 'No event had told us; reconcile brought the ledger in line.'),"
            " heller.stripe_discrepancy('unbooked', 'pi_3Demo3', p_expected => '{\"amount\": 1900, \"currency\": \"eur\"}', p_note => 'Stripe''s balance has this charge; our payments do not.')"
        )


async def accounts(heller: Heller) -> None:
    """Customers with a past, one in debt, one frozen."""
    await live(heller, "ada.lovelace", days=30)
    await heller.add_identity("ada.lovelace", "email", "ada@example.com")
    await heller.add_identity("ada.lovelace", "stripe_customer", "cus_Ada")
    await heller.open_account("in-debt", user="in-debt")
    await heller.grant("in-debt", 50, source="purchase", cost=500, currency="eur")
    await heller.spend("in-debt", 40, reason="job analysis")
    await heller.clawback("in-debt", 50, policy="debt", reason="the payment was charged back")
    await heller.open_account("under-review")
    await heller.grant("under-review", 500, reason="Welcome")
    await heller.freeze("under-review", "fraud team looks at it")


async def migrated(
    legacy_url: str, database_url: str, out: Path, *, users: int = 60, clean: bool = False
) -> None:
    """A legacy system of the production shape, carried over whole."""
    await legacy_sample.build(legacy_url, shape="production", users=users, seed=7, clean=clean)
    await run(legacy_url, database_url, out, decide="recommended")


async def rolling(legacy_url: str, database_url: str, *, outcomes: int = 90, failed: int = 1) -> None:
    """A rollout that began at half of the users, moved them, and has seen outcomes of both arms."""
    async with fenced(legacy_url, database_url) as sides:
        connection = sides.ours.connection
        await state.start(
            connection,
            actor="user:grace",
            reason="Half of everybody, after the dry run",
            stages=[10, 50, 100],
            settings=SETTINGS,
            soak_seconds=3600,
        )
        await controller.tick(sides)
        await state.change(
            connection, "promote", actor="user:grace", reason="Ten per cent were quiet for a day"
        )
        await controller.tick(sides)
        homes = await (
            await connection.execute(
                "select account_id, epoch % 2 = 1 from heller.accounts where epoch is not null order by 1"
            )
        ).fetchall()
        ours, theirs = [user for user, here in homes if here], [user for user, here in homes if not here]
        for number in range(outcomes):
            arm = "legacy" if number % 3 == 2 and theirs else "heller"
            users = theirs if arm == "legacy" else ours
            await observe(
                connection,
                operation=f"{arm}-{number}-{datetime.now(UTC).isoformat()}",
                account=users[number % len(users)],
                arm=arm,
                what="webhook" if number % 9 == 0 else "spend",
                failed=number < failed,
                milliseconds=40 + number % 17 * 30,
            )
        await connection.execute(
            "update heller.rollouts set stage_since = stage_since - interval '20 minutes'"
        )
        await connection.execute(
            "update heller.observations set at = at - random() * interval '18 minutes' - interval '2 seconds'"
        )
        await controller.tick(sides)
