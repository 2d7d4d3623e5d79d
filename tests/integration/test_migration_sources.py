"""Sources that PostgreSQL allows and the sample never makes: what cannot be carried is said, the rest adds up."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from heller import Heller
from heller import verify as verify_ledger
from heller.errors import DecisionsNeeded, MappingError, SourceError
from heller.migration import audit, backup, restore_check, run

Connect = Callable[..., Awaitable[psycopg.AsyncConnection]]


async def posted(url: str) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return dict(
            await (await connection.execute("select account_id, posted from heller.accounts")).fetchall()
        )


async def test_an_id_that_an_index_makes_unique_only_among_some_rows_may_be_there_twice(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        """
        create table users (id int, email text, credits_balance int, deleted_at date);
        create unique index on users (id) where deleted_at is null;
        insert into users values (1, 'ann@example.com', 5, null), (1, 'old@example.com', 9, '2025-01-01');
        create table credit_transactions (id int primary key, user_id int, delta int, reason text);
        create table archived () inherits (credit_transactions);
        insert into credit_transactions values (1, 1, 5, 'bonus');
        insert into archived values (1, 1, 7, 'bonus');
        """
    )
    result = await run(empty_database, heller_database, tmp_path)
    assert (result.ok, result.copied.copied, result.copied.quarantined) == (True, 2, 2)
    assert await posted(heller_database) == {"1": 5}


async def test_a_role_from_whom_policies_hide_rows_is_refused(
    empty_database: str, second_database: str, tmp_path: Path, connect: Connect
) -> None:
    owner = await connect(empty_database)
    name = f"filtered_{psycopg.conninfo.conninfo_to_dict(empty_database)['dbname']}"
    await owner.execute(f"create role {name} login password 'some'")
    try:
        await owner.execute(
            f"""
            create table users (id int primary key, credits_balance int);
            insert into users values (1, 5), (2, 6);
            create policy first_only on users using (id = 1);
            grant select on users to {name};
            """
        )
        url = psycopg.conninfo.make_conninfo(empty_database, user=name, password="some")  # noqa: S106 - made for this test
        assert (await audit(url, second_database, tmp_path)).totals.users == 2
        await owner.execute("alter table users enable row level security")
        with pytest.raises(SourceError, match=r"Row-level security hides rows of public\.users"):
            await audit(url, second_database, tmp_path)
        mapping = tmp_path / "mapping.toml"
        mapping.write_text('[users]\ntable = "users"\nid = "id"\nbalance = "credits_balance"\n', "utf-8")
        with pytest.raises(MappingError, match=r"line 2.*row-level security"):
            await audit(url, second_database, tmp_path, mapping=mapping)
    finally:
        await owner.execute(f"drop owned by {name}")
        await owner.execute(f"drop role {name}")


async def test_money_and_floats_are_read_to_the_last_digit_and_marks_for_no_time_as_none(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        """
        create table users (id int primary key, email text, credits_balance money, created_at timestamptz);
        insert into users values (1, 'a@b.c', 1234567, '0001-01-01'), (2, 'b@b.c', 16777216, '-infinity');
        create table credit_transactions (id int primary key, user_id int, delta real, reason text, created_at timestamp);
        insert into credit_transactions values (1, 1, 1234567, 'x', '0044-03-15 BC'), (2, 2, 16777216, 'x', '20000-01-01'),
          (3, 2, 'NaN', 'x', '2025-01-01'), (4, 2, 'Infinity', 'x', '2025-01-01');
        create table credit_ledger (id int primary key, user_id text, delta text, created_at date);
        insert into credit_ledger values (1, '1', '5', '4000000-01-01'), (2, '1', '-5', '1900-01-01');
        create table payments (id int primary key, user_id int, amount double precision, status text, created_at text);
        insert into payments values (1, 1, 1e15, 'paid', '0001-01-01 00:00:00+14'), (2, 1, 1, 'paid', '9999-12-31 23:59:59-12');
        """
    )
    result = await run(empty_database, heller_database, tmp_path)
    assert result.ok
    assert (result.copied.copied, result.copied.quarantined) == (8, 2)
    assert await posted(heller_database) == {"1": 1234567, "2": 16777216}
    found = {finding.code: finding.count for finding in result.audit.findings}
    assert found["missing_timestamp"] == 4
    own = await connect(heller_database)
    assert await (await own.execute("select amount from heller.payments order by 1")).fetchall() == [
        (1,),
        (10**15,),
    ]


async def test_amounts_with_decimals_are_a_warning_until_a_mapping_gives_their_scale(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(
        """
        create table users (id int primary key, credits_balance int);
        insert into users values (1, 300);
        create table payments (id int primary key, user_id int, amount numeric(10,2), credits int, currency text, status text, created_at text);
        insert into payments values (1, 1, 4.99, 100, 'EUR', 'paid', 'amount "x'), (2, 1, 5.00, 100, 'EUR', 'paid', '2025-01-01 00:00'),
          (3, 1, null, 100, 'EUR', 'paid', '2025-01-01 00:00'), (4, 1, -0.5, 0, 'EUR', 'failed', '2025-01-01 00:00');
        create table credit_transactions (id int primary key, user_id int, payment_id int, delta int, reason text);
        insert into credit_transactions select id, 1, id, 100, 'PURCHASE' from payments where id < 4;
        """
    )
    found = {f.code: f for f in (await audit(empty_database, heller_database, tmp_path / "seen")).findings}
    warned = found["unreadable_amount"]
    assert (warned.level, warned.count, warned.credits) == ("warning", 2, 100)
    assert "give the mapping a scale for amount" in warned.sentence
    assert [(row["key"], row["account"], row["odd"].split(";")[0]) for row in warned.rows] == [
        ("1", "1", 'amount "4.99"'), ("4", "1", 'amount "-0.50"'),
    ]  # fmt: skip

    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        """
[users]
table = "users"
id = "id"
balance = "credits_balance"
[payments]
table = "payments"
id = "id"
user_ref = "user_id"
amount = { column = "amount", scale = 100 }
credits = "credits"
currency = "currency"
status = "status"
created_at = "created_at"
[transactions]
table = "credit_transactions"
id = "id"
user_ref = "user_id"
payment_ref = "payment_id"
delta = "delta"
reason = "reason"
""",
        "utf-8",
    )
    result = await run(empty_database, heller_database, tmp_path, mapping=mapping)
    assert (result.ok, "unreadable_amount" in {f.code for f in result.audit.findings}) == (True, False)
    amounts = await own.execute("select source_id, amount from heller.payments order by 1")
    assert await amounts.fetchall() == [("1", 499), ("2", 500), ("3", None), ("4", -50)]


async def test_a_backup_of_odd_values_is_found_whole(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        """
        create schema "a/b %";
        create table "a/b %"."members/../x" (id int primary key, "group""s" numeric, paid money, wide numeric);
        insert into "a/b %"."members/../x" values (1, 5, 1234.50, 'NaN'), (2, 6, -7, 'Infinity'),
          (3, 7, null, 12345678901234567890123456789.12345678901234567890123456789), (4, 7, 0, 0.00000000000000000000000000001);
        create table seen (event text);
        insert into seen values (null), (''), ('x'), (null);
        create table large (id int, who int, credits int, note text);
        insert into large select n, 1, 5, repeat('what ', 2000000) from generate_series(1, 2) n;
        """
    )
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[users]\ntable = "a/b %.members/../x"\nid = "id"\nbalance = "group\\"s"\n'
        '[events]\ntable = "seen"\nevent = "event"\n'
        '[[transactions]]\ntable = "large"\nid = "id"\nuser_ref = "who"\ndelta = "credits"\nreason = "note"\n',
        "utf-8",
    )
    done = await backup(empty_database, heller_database, tmp_path, mapping=mapping)
    assert done.tables == {"a/b %.members/../x": 4, "seen": 4, "large": 2}
    checked = restore_check(tmp_path / "backup")
    assert (checked.problems, checked.rows) == ((), 10)
    assert "1234.50" in (tmp_path / "backup" / "a%2Fb %25.members%2F..%2Fx.csv").read_text("utf-8")


async def test_settings_of_either_database_change_nothing(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(
        """
        create table users (id int primary key, email text, credits_balance text, created_at timestamptz);
        create table credit_transactions (id int primary key, user_id int, delta int, reason text);
        insert into users select n, n || '@example.com', ' 5.0 ', '2025-01-01' from generate_series(1, 3000) n;
        insert into credit_transactions values (1, 1, 5, 'a refund'), (2, 2, 5, 'welcome bonus');
        create schema evil;
        create table evil.pg_class (oid int);
        create function evil.left(text, int) returns text language sql as 'select null::text';
        """
    )
    limits = ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")
    for session in (legacy, own):
        name = sql.Identifier(session.info.dbname)
        for limit in limits:
            await session.execute(
                sql.SQL("alter database {} set {} = '1s'").format(name, sql.Identifier(limit))
            )
        if session.info.server_version >= 170_000:
            await session.execute(sql.SQL("alter database {} set transaction_timeout = '1s'").format(name))
        await session.execute(sql.SQL("alter database {} set standard_conforming_strings = off").format(name))
    name = sql.Identifier(legacy.info.dbname)
    await legacy.execute(sql.SQL("alter database {} set search_path = evil, pg_catalog, public").format(name))
    await legacy.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
    result = await run(empty_database, heller_database, tmp_path)
    assert (result.ok, result.copied.copied) == (True, 3002)
    cursor = await own.execute(
        "select kind from heller.transactions where source_table = 'credit_transactions' order by 1"
    )
    assert await cursor.fetchall() == [("grant",), ("refund",)]


LONG = "(select string_agg(md5(n::text), '') from generate_series(1, 300) n)"


async def test_what_is_longer_than_any_name_or_number_is_set_aside_with_a_reason(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        f"""
        create table users (id text, email text, credits_balance int, clerk_id text);
        insert into users values ('1', {LONG} || '@x.y', 5, {LONG}), ({LONG}, 'b@x.y', 6, null);
        create table stripe_customers (user_id text, stripe_customer_id text);
        insert into stripe_customers values ('1', {LONG}), ({LONG}, 'cus_1');
        create table payments (id text, user_id text, provider text, provider_payment_intent_id text, amount bigint, credits int,
          status text, raw_provider_data json);
        insert into payments values ('1', '1', {LONG}, {LONG}, 9e16, 900000000, 'paid', json_build_object('email', {LONG} || '@z')),
          ({LONG}, '1', 'stripe', null, 5, 5, 'paid', null), ('2', {LONG}, 'stripe', null, 5, 5, 'paid', null);
        create table credit_transactions (id text, user_id text, delta int, reason text, payment_id text, stripe_event_id text, meta json);
        insert into credit_transactions values ('1', '1', 900000000, 'PURCHASE', '1', null, '{{"n": 0.{"9" * 20_000}}}'),
          ('2', '1', -900000000, 'REFUND', '1', {LONG}, '{{"amount_refunded": 899999999999999}}'),
          ({LONG}, '1', 5, 'bonus', null, null, null), ('3', {LONG}, 5, 'bonus', null, null, null);
        update payments set raw_provider_data = '{{"amount_refunded": 899999999999999}}' where id = '1';
        """
    )
    result = await run(empty_database, heller_database, tmp_path, decide="recommended")
    assert (result.ok, result.copied.copied, result.copied.quarantined) == (True, 4, 7)
    assert await posted(heller_database) == {"1": 5}
    again = await run(empty_database, heller_database, tmp_path, decide="recommended")
    assert (again.ok, again.copied.copied, again.copied.present) == (True, 0, 4)


async def test_credits_beyond_all_numbers_are_refused_by_name(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        """
        create table users (id int primary key, email text, credits_balance bigint);
        insert into users values (1, 'a@b.c', 9223372036854775807);
        """
    )
    assert (await run(empty_database, heller_database, tmp_path)).ok
    await legacy.execute("insert into users values (2, 'b@b.c', 1)")
    with pytest.raises(SourceError, match=r"users 1 alone says 9,223,372,036,854,775,807.*\n.*view"):
        await run(empty_database, heller_database, tmp_path)
    await legacy.execute("update users set credits_balance = '-9223372036854775808' where id = 1")
    with pytest.raises(DecisionsNeeded, match="null_balance"):
        await run(empty_database, heller_database, tmp_path)


async def test_a_transfer_of_the_old_system_that_only_one_side_knows_of_adds_up(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        """
        create table users (id int primary key, email text, credits_balance int);
        insert into users values (1, 'a@b.c', 5), (2, 'b@b.c', 7);
        create table credit_transactions (id int primary key, user_id int, delta int, reason text, created_at timestamptz);
        insert into credit_transactions values (1, 1, 15, 'bonus', '2025-01-01'), (2, 1, -10, 'transfer_to_9', '2025-01-02'),
          (3, 2, 7, 'transfer_from_9', '2025-01-03');
        """
    )
    result = await run(empty_database, heller_database, tmp_path)
    assert (result.ok, result.verified.ledger.trial_balance["difference"]) == (True, 0)
    async with Heller.connect(heller_database) as heller:
        await heller.reverse("1", 2, reason="it never arrived")
        await heller.reverse("2", 1, reason="it was never sent")
        assert [(await heller.balance(user)).posted for user in ("1", "2")] == [15, 0]
    assert (await verify_ledger(heller_database)).is_ok


async def test_a_database_of_no_encoding_is_read_and_backed_up(
    server_url: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    name = f"ascii_{uuid4().hex[:12]}"
    server = await connect(server_url)
    await server.execute(f"create database {name} template template0 encoding 'SQL_ASCII' locale 'C'")
    try:
        url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        legacy = await connect(url)
        await legacy.execute(
            """
            set client_encoding = 'SQL_ASCII';
            create table users (id int primary key, email text, name text, credits_balance int);
            insert into users values (1, 'Jürgen@example.com', E'J\\xfcrgen', 5), (2, 'b@example.com', 'B', 6);
            create table credit_transactions (id int primary key, user_id text, delta int, reason text);
            insert into credit_transactions values (1, 'jürgen@example.com', 5, E'\\xff\\t\\\\n tab');
            """.encode()
        )
        await legacy.close()
        result = await run(url, heller_database, tmp_path)
        assert (result.ok, result.copied.copied) == (True, 3)
        assert await posted(heller_database) == {"1": 5, "2": 6}
        assert restore_check(tmp_path / "backup").ok
        own = await connect(heller_database)
        cursor = await own.execute(
            "select reason from heller.transactions where source_id = '1' and delta = 5"
        )
        assert await cursor.fetchall() == [("\ufffd\t\\n tab",)]
    finally:
        await server.execute(f"drop database {name} with (force)")


async def test_who_was_erased_here_stays_forgotten_when_the_copy_runs_again(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy, own = await connect(empty_database), await connect(heller_database)
    await legacy.execute(
        """
        create table users (id int primary key, email text, name text, credits_balance int);
        insert into users values (1, 'ann@example.com', 'Ann', 5), (2, 'bob@example.com', 'Bob', 6);
        create table stripe_customers (user_id text, stripe_customer_id text);
        insert into stripe_customers values ('1', 'cus_1'), ('2', 'cus_2');
        """
    )
    assert (await run(empty_database, heller_database, tmp_path)).ok
    async with Heller.connect(heller_database) as heller:
        await heller.erase_user("1", actor="dpo")
    await legacy.execute("update users set credits_balance = 8 where id = 1")
    again = await run(empty_database, heller_database, tmp_path)
    names = await own.execute("select user_id, name from heller.identities order by 1, 2")
    assert await names.fetchall() == [("2", "2"), ("2", "bob@example.com"), ("2", "cus_2")]
    assert await posted(heller_database) == {"1": 8, "2": 6}
    assert (again.ok, again.copied.copied, again.copied.present) == (True, 0, 4)


async def test_a_customer_of_two_users_and_a_row_of_the_future_beside_one_of_no_time_add_up(
    empty_database: str, heller_database: str, tmp_path: Path, connect: Connect
) -> None:
    legacy = await connect(empty_database)
    await legacy.execute(
        """
        create table users (id int primary key, email text, credits_balance int, stripe_customer_id text);
        insert into users values (1, 'a@b.c', 5, 'cus_1'), (2, 'b@b.c', 6, null);
        create table stripe_customers (user_id text, stripe_customer_id text);
        insert into stripe_customers values ('2', 'cus_1'), ('1', 'cus_1');
        create table credit_transactions (id int primary key, user_id int, delta int, reason text, created_at timestamptz);
        insert into credit_transactions values (1, 1, 2, 'bonus', '2077-01-01'), (2, 1, 3, 'bonus', null);
        """
    )
    for present in (0, 5):
        result = await run(empty_database, heller_database, tmp_path)
        counted = result.copied
        assert (result.verified.mismatches, result.ok) == ((), True)
        assert (counted.copied, counted.present, counted.quarantined) == (5 - present, present, 1)
