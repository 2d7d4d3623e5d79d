"""The fence: every shape, every write path, and the race that a plain read loses."""

import asyncio

import psycopg
import pytest

import legacy_sample
from handover_world import build_legacy, fenced, legacy_balance, legacy_spend, pair
from heller.errors import MigrationError
from heller.migration.handover import fence
from heller.migration.handover.runs import open_sides

LEVELS = ("read committed", "repeatable read", "serializable")
SHAPES = [
    ("production", None, 1), ("documented", "integer", 1), ("documented", "text", 2), ("documented", "uuid", 3),
    *(("drifted", None, seed) for seed in range(1, 9)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "id_type", "seed"), SHAPES)
async def test_fence_of_every_shape_refuses_every_write_path(
    empty_database, heller_database, shape, id_type, seed
):
    await legacy_sample.build(empty_database, shape=shape, users=60, seed=seed, id_type=id_type)
    async with fenced(empty_database, heller_database) as sides:
        again = await fence.install(sides.legacy.connection, sides.ours.connection, sides.layout)
        assert again.ok, again.problems
        assert again.users >= 50
        await fence.remove(sides.legacy.connection, sides.ours.connection, sides.layout)
        assert not await fence.is_installed(sides.legacy.connection)
        left = await (
            await sides.legacy.connection.execute(
                "select count(*) from pg_trigger where tgname like 'zz_heller%'"
            )
        ).fetchone()
        assert left == (0,)


async def _legacy(sides, level):
    connection = await psycopg.AsyncConnection.connect(
        sides.legacy.connection.info.dsn, password=sides.legacy.connection.info.password
    )
    await connection.execute(f"set session characteristics as transaction isolation level {level}")
    await connection.commit()
    return connection


@pytest.mark.parametrize("level", LEVELS)
async def test_seal_skips_a_user_with_an_open_change_and_sees_it_once_committed(
    empty_database, heller_database, level
):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        writer = await _legacy(sides, level)
        assert await legacy_spend(writer, "1", 30, "a")
        (busy,) = await sides.coordinator().hand_over(["1"])
        assert busy.outcome == "busy"
        await writer.commit()
        (moved,) = await sides.coordinator().hand_over(["1"])
        assert moved.outcome == "moved"
        row = await (
            await sides.ours.connection.execute("select posted from heller.accounts where account_id = '1'")
        ).fetchone()
        assert row == (70,)
        await writer.close()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("looked_before", [True, False])
async def test_change_begun_before_the_seal_is_refused_after_it(
    empty_database, heller_database, level, looked_before
):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        writer = await _legacy(sides, level)
        if looked_before:  # the snapshot of repeatable read is older than the seal
            await writer.execute("select credits_balance from users")
        (moved,) = await sides.coordinator().hand_over(["1"])
        assert moved.outcome == "moved"
        with pytest.raises(psycopg.Error) as refused:
            await legacy_spend(writer, "1", 30, "late")
        assert refused.value.sqlstate in {"MG001", "40001"}
        if level == "read committed" or not looked_before:
            assert refused.value.sqlstate == "MG001"
        await writer.rollback()
        assert await legacy_balance(sides, "1") == 100
        await writer.close()


async def test_guard_that_only_reads_would_lose_the_debit(empty_database, heller_database):
    """The reason for FOR SHARE: the same race against the obvious trigger loses a debit, so the tests above can fail."""
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        for (source,) in await (
            await sides.legacy.connection.execute(
                "select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = 'heller_fence'::regnamespace and p.proname like 'guard%'"
            )
        ).fetchall():
            await sides.legacy.connection.execute(source.replace("for share", ""))
        writer = await _legacy(sides, "read committed")
        assert await legacy_spend(writer, "1", 30, "lost")
        (moved,) = await sides.coordinator().hand_over(["1"])
        assert moved.outcome == "moved"
        await writer.commit()  # nobody stops it
        row = await (
            await sides.ours.connection.execute("select posted from heller.accounts where account_id = '1'")
        ).fetchone()
        assert row == (100,)
        assert await legacy_balance(sides, "1") == 70
        await writer.close()


async def test_seal_and_spend_at_the_same_instant_agree(empty_database, heller_database):
    await build_legacy(empty_database, users=40)
    async with fenced(empty_database, heller_database) as sides:
        users = [str(n) for n in range(1, 41)]
        spent: dict[str, int] = dict.fromkeys(users, 0)

        async def spender(level):
            writer = await _legacy(sides, level)
            refused = 0
            for user in users * 3:
                try:
                    if await legacy_spend(writer, user, 1, "race"):
                        await writer.commit()
                        spent[user] += 1
                except psycopg.Error as error:
                    assert error.sqlstate in {"MG001", "40001", "40P01"}  # noqa: PT017
                    refused += 1
                    await writer.rollback()
            await writer.close()
            return refused

        async def mover():
            outcomes = {}
            for first in range(0, 40, 5):
                waiting = users[first : first + 5]
                while waiting:
                    result = await sides.coordinator().hand_over(waiting)
                    outcomes |= {o.account: o.outcome for o in result}
                    waiting = [o.account for o in result if o.outcome == "busy"]
                    await asyncio.sleep(0)
            return outcomes

        *refused, outcomes = await asyncio.gather(*(spender(level) for level in LEVELS), mover())
        assert set(outcomes.values()) == {"moved"}
        assert sum(refused) > 0
        for user in users:
            row = await (
                await sides.ours.connection.execute(
                    "select posted from heller.accounts where account_id = %s", [user]
                )
            ).fetchone()
            assert row == (100 - spent[user],)


async def test_new_users_have_a_fence_row_at_once(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        cursor = await sides.legacy.connection.execute(
            "insert into users (email, credits_balance) values ('n@example.com', 7) returning id::text"
        )
        (new,) = (await cursor.fetchall())[0]
        (moved,) = await sides.coordinator().hand_over([new])
        assert moved.outcome == "moved"
        assert await pair(sides, new) == (1, 1)


async def test_truncate_is_refused_while_a_user_is_away(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        with pytest.raises(psycopg.Error) as refused:
            await sides.legacy.connection.execute("truncate credit_transactions")
        assert refused.value.sqlstate == "MG001"


async def test_rows_of_a_user_are_guarded_under_every_name(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await sides.legacy.connection.execute(
            "insert into heller_fence.aliases values ('user1@example.com', '1')"
        )
        await sides.coordinator().hand_over(["1"])
        for name in ("1", "user1@example.com", " User1@example.com "):
            with pytest.raises(psycopg.Error) as refused:
                await sides.legacy.connection.execute(
                    "insert into credit_transactions (user_id, delta_credits, reason) values (%s, 5, 'bonus')",
                    [name],
                )
            assert refused.value.sqlstate == "MG001"
        await sides.legacy.connection.execute(
            "insert into credit_transactions (user_id, delta_credits, reason) values ('nobody', 5, 'x')"
        )
        assert (await fence.status(sides.legacy.connection, sides.layout)).strays == 1


async def test_rows_cannot_move_between_users_across_the_fence(empty_database, heller_database):
    await build_legacy(empty_database, users=2)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        for change in (
            "update credit_transactions set user_id = '2' where user_id = '1'",
            "update credit_transactions set user_id = '1' where user_id = '2'",
        ):
            with pytest.raises(psycopg.Error) as refused:
                await sides.legacy.connection.execute(change)
            assert refused.value.sqlstate == "MG001"


async def test_missing_or_disabled_trigger_is_found(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await sides.legacy.connection.execute(
            "alter table users enable trigger zz_heller_fence"
        )  # no longer ALWAYS
        await sides.legacy.connection.execute("drop trigger zz_heller_fence on payments")
        problems = (await fence.status(sides.legacy.connection, sides.layout)).problems
        assert problems == (
            "the trigger zz_heller_fence of public.users is not ENABLE ALWAYS",
            "public.payments has no trigger zz_heller_fence",
        )


async def test_guard_with_a_hole_fails_the_self_test(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await sides.legacy.connection.execute(
            "create or replace function heller_fence.guard_1() returns trigger language plpgsql as 'begin return new; end'"
        )
        problems = (await fence.status(sides.legacy.connection, sides.layout, test=True)).problems
        assert any("update users" in problem and "goes through" in problem for problem in problems)
        assert await legacy_balance(sides, "1") == 100
        row = await (await sides.legacy.connection.execute("select count(*) from users")).fetchone()
        assert row == (1,)


async def test_fence_is_not_removed_while_users_are_away(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    async with fenced(empty_database, heller_database) as sides:
        await sides.coordinator().hand_over(["1"])
        with pytest.raises(MigrationError, match="spend their credits again"):
            await fence.remove(sides.legacy.connection, sides.ours.connection, sides.layout)


async def test_handover_without_a_fence_is_refused(empty_database, heller_database):
    await build_legacy(empty_database, users=1)
    with pytest.raises(MigrationError, match="no fence"):
        async with open_sides(empty_database, heller_database):
            pass
