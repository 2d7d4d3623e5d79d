"""The function in the legacy database that activates a return: heller's transactions become rows of its own history.

``heller_fence.take_back(statements)`` works a batch off, each user whole or not at all, any number of times.
"""

from collections.abc import Mapping

from psycopg import AsyncConnection, sql

from heller.migration.handover.layout import Column, Layout, Part
from heller.migration.handover.words import reason_words, status_words, words_of
from heller.migration.handover.writing import cut, fill_id, fill_rest, names_of, number, time_value, values_of

_TAKE_BACK = """
create or replace function heller_fence.take_back(p_statements jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $back$
declare
  s jsonb;
  r jsonb;
  v_results jsonb := '[]';
begin
  perform set_config('heller_fence.returning', 'yes', true);
  for s in select * from jsonb_array_elements(p_statements) v order by v ->> 'account' collate "C" loop
    begin
      r := heller_fence.take_back_one(s);
    exception
      when lock_not_available or deadlock_detected or serialization_failure or query_canceled then raise;
      when others then r := jsonb_build_object('outcome', 'quarantined', 'reason', sqlerrm);
    end;
    v_results := v_results || (r || jsonb_build_object('account', s ->> 'account', 'epoch', (s ->> 'epoch')::bigint));
  end loop;
  perform set_config('heller_fence.returning', 'no', true);
  return v_results;
end $back$
"""

_ONE = """
create or replace function heller_fence.take_back_one(s jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog, {schema}, pg_temp as $back$  -- the legacy triggers look for their tables
declare
  v_id text := s ->> 'account';
  v_epoch bigint := (s ->> 'epoch')::bigint;
  v_at bigint;
  v_found bigint;
  v_sum bigint;
  v_row text;
  v_payment text;
  v_event text;
  p jsonb;
  t jsonb;
begin
  -- the user's row first, then the fence: the order in which a legacy change locks them
  perform from {users} where {users_id} = {user} for update;
  if not found then
    raise exception 'user % has no row any more', v_id;
  end if;
  update heller_fence.fence set epoch = v_epoch, changed_at = clock_timestamp()
  where user_id = v_id and epoch = v_epoch - 1 and v_epoch % 2 = 0;
  if not found then
    select epoch into v_at from heller_fence.fence where user_id = v_id;
    return case when v_at = v_epoch then jsonb_build_object('outcome', 'known')
                else jsonb_build_object('outcome', 'stale', 'reason', format('the statement is of epoch %s and the fence is at %s', v_epoch, v_at)) end;
  end if;
  for p in select * from jsonb_array_elements(s -> 'payments') loop
{payment}
  end loop;
  for t in select * from jsonb_array_elements(s -> 'transactions') loop
    v_payment := coalesce((select c.source_id from heller_fence.carried_payments c where c.payment_key = t ->> 'payment_key'),
                          (select k ->> 'source_id' from jsonb_array_elements(s -> 'payments') k where k ->> 'payment_key' = t ->> 'payment_key'));
    v_event := null;
    insert into heller_fence.carried (user_id, seq, delta) values (v_id, (t ->> 'seq')::bigint, (t ->> 'delta')::bigint) on conflict do nothing;
    if found then
{transaction}
    end if;
  end loop;
{balance}
  select count(*), coalesce(sum(c.delta), 0) into v_found, v_sum from heller_fence.carried c
  where c.user_id = v_id and c.seq in (select (k ->> 'seq')::bigint from jsonb_array_elements(s -> 'transactions') k);
  if v_found <> (s ->> 'count')::bigint or v_sum <> (s ->> 'sum')::bigint then
    raise exception 'the statement has % transactions with % credits, and % with % were written', s ->> 'count', s ->> 'sum', v_found, v_sum;
  end if;
  select b.balance into v_sum from heller_fence.balances(array[v_id]) b;
  if {checks_balance} and v_sum is distinct from (s ->> 'balance')::bigint then
    raise exception 'the statement says % credits and the balance became %', s ->> 'balance', v_sum;
  end if;
  insert into heller_fence.credited (key, user_id)
  select distinct k.key, v_id from jsonb_array_elements(s -> 'payments') q,
    lateral (select q ->> 'intent' union all select q ->> 'session' union all select jsonb_array_elements_text(q -> 'events')) k (key)
  where k.key is not null and q ->> 'state' in ('settled', 'partly_refunded', 'refunded', 'disputed')
  on conflict do nothing;
  insert into heller_fence.receipts (user_id, epoch, balance, transactions, sum, digest)
  values (v_id, v_epoch, (s ->> 'balance')::bigint, (s ->> 'count')::bigint, (s ->> 'sum')::bigint, s ->> 'digest');
  return jsonb_build_object('outcome', 'returned', 'balance', (s ->> 'balance')::bigint);
end $back$
"""

_PAYMENT = """
    v_row := coalesce(case when p ->> 'source_table' = {label} then p ->> 'source_id' end,
                      (select c.source_id from heller_fence.carried_payments c where c.payment_key = p ->> 'payment_key'));
    if v_row is not null then
      update {table} q set {status} = {state} where q.{id} = {row} and q.{status} is distinct from {state} and p ->> 'state' in ('refunded', 'disputed');
    else
      insert into heller_fence.carried_payments (payment_key, user_id) values (p ->> 'payment_key', v_id) on conflict do nothing;
      if found then
        insert into {table} ({columns}) values ({values}) returning {id}::text into v_row;
        update heller_fence.carried_payments set source_table = {label}, source_id = v_row where payment_key = p ->> 'payment_key';
      end if;
    end if;
"""

_EVENT = """
    for v_event in select jsonb_array_elements_text(p -> 'events') loop
      if not exists (select from {table} where {event} = v_event) then
        insert into {table} ({columns}) values ({values}) on conflict do nothing;  -- the legacy webhook may be storing it now
      end if;
    end loop;
"""

_TRANSACTION = """
      insert into {table} ({columns}) values ({values}) returning {id}::text into v_row;
      update heller_fence.carried set source_table = {label}, source_id = v_row where user_id = v_id and seq = (t ->> 'seq')::bigint;
      insert into heller_fence.keys (user_id, key, kind, delta, reason, metadata)
      select v_id, t ->> 'key', t ->> 'kind', (t ->> 'delta')::bigint, t ->> 'reason', nullif(t -> 'metadata', 'null') where t ->> 'key' is not null
      on conflict do nothing;
"""


async def take_back_statements(connection: AsyncConnection, layout: Layout) -> list[sql.Composed]:
    """The functions of a return, made for one layout."""
    payment = await payment_statements(connection, layout) + [_event(part) for part in layout.events]
    main = layout.main_history
    written = await transaction_values(connection, main, layout.mapping.kinds) if main else {}
    users = layout.users
    return [
        sql.SQL(_ONE).format(
            schema=sql.Identifier(users.table.schema), users=users.identifier, users_id=users.quoted("id"), user=users.typed("id", sql.SQL("v_id")),
            payment=sql.SQL("").join(payment) if payment else sql.SQL("    null;"),
            transaction=_transaction(main, written) if main else sql.SQL("      null;"),
            balance=_balance(layout), checks_balance=sql.Literal(layout.truth == "balance"),
        ),
        sql.SQL(_TAKE_BACK).format(),
        sql.SQL(
            "revoke all on function heller_fence.take_back(jsonb), heller_fence.take_back_one(jsonb) from public"
        ).format(),
    ]  # fmt: skip


async def payment_statements(connection: AsyncConnection, layout: Layout) -> list[sql.Composed]:
    """What writes the payment in the variable ``p`` of the user in ``v_id``, once by its key."""
    return [
        _payment(part, status_words(await words_of(connection, part, "status"), layout.mapping.statuses))
        for part in layout.payments
    ]


def _cases(value: str, choices: dict[str, str], column: Column, otherwise: sql.Composable) -> sql.Composed:
    whens = sql.SQL(" ").join(
        sql.SQL("when {} then {}").format(sql.Literal(name), sql.Literal(word))
        for name, word in choices.items()
    )
    text = sql.SQL("(case {} {} else {} end)").format(sql.SQL(value), whens, otherwise)
    return cut(text, column)


def _payment(part: Part, states: dict[str, str]) -> sql.Composed:
    given: dict[str, sql.Composable] = {part.column("user_ref").name: part.typed("user_ref", sql.SQL("v_id"))}
    status = part.column("status")
    if status.labels:
        states = {state: word for state, word in states.items() if word in status.labels}
    state = _cases("p ->> 'state'", states, status, sql.SQL("null"))
    given[status.name] = state
    fill_id(part, given)
    for field, value in (("provider", "p ->> 'provider'"), ("intent", "p ->> 'intent'"), ("session", "p ->> 'session'"),
                         ("currency", "p ->> 'currency'")):  # fmt: skip
        if part.has(field):
            given[part.column(field).name] = cut(sql.SQL(value), part.column(field))
    if part.has("amount"):
        given[part.column("amount").name] = number(sql.SQL("coalesce(p ->> 'amount', '0')"), part, "amount")
    if part.has("credits"):
        given[part.column("credits").name] = number(sql.SQL("p ->> 'credits'"), part, "credits")
    if part.has("created_at"):
        given[part.column("created_at").name] = time_value("p ->> 'at'", part, "created_at")
    if part.has("raw") and part.column("raw").is_json:
        given[part.column("raw").name] = cut(
            sql.SQL(
                "(jsonb_build_object('heller', jsonb_build_object('payment', p ->> 'payment_key')))::text"
            ),
            part.column("raw"),
        )
    given = fill_rest(part, given)
    return sql.SQL(_PAYMENT).format(
        label=sql.Literal(part.label), table=part.identifier, status=part.quoted("status"), state=state, id=part.quoted("id"),
        row=part.typed("id", sql.SQL("v_row")), columns=names_of(given), values=values_of(given),
    )  # fmt: skip


def _event(part: Part) -> sql.Composed:
    given: dict[str, sql.Composable] = {
        part.column("event").name: cut(sql.SQL("v_event"), part.column("event"))
    }
    if part.has("status"):
        given[part.column("status").name] = cut(sql.SQL("'completed'"), part.column("status"))
    if part.has("type"):
        given[part.column("type").name] = cut(sql.SQL("'heller.credited'"), part.column("type"))
    if "provider" in part.columns:
        given["provider"] = cut(sql.SQL("'stripe'"), part.columns["provider"])
    given = fill_rest(part, given)
    return sql.SQL(_EVENT).format(
        table=part.identifier, event=part.quoted("event"), columns=names_of(given), values=values_of(given)
    )


def _transaction(part: Part, given: dict[str, sql.Composable]) -> sql.Composed:
    return sql.SQL(_TRANSACTION).format(
        table=part.identifier,
        id=part.quoted("id"),
        label=sql.Literal(part.label),
        columns=names_of(given),
        values=values_of(given),
    )


async def transaction_values(
    connection: AsyncConnection, part: Part, kinds: Mapping[str, str]
) -> dict[str, sql.Composable]:
    """The columns of a history row for the transaction in the variable ``t`` of the user in ``v_id``."""
    given: dict[str, sql.Composable] = {part.column("user_ref").name: part.typed("user_ref", sql.SQL("v_id"))}
    fill_id(part, given)
    sign = "-" if part.mapping.negated else ""
    given[part.column("delta").name] = number(sql.SQL(f"{sign}(t ->> 'delta')::bigint"), part, "delta")
    if part.has("before") and part.has("after"):
        before = sql.SQL("(t ->> 'balance_after')::bigint - (t ->> 'delta')::bigint")
        given[part.column("before").name] = number(before, part, "before")
        given[part.column("after").name] = number(sql.SQL("t ->> 'balance_after'"), part, "after")
    if part.has("reason"):
        words = reason_words(
            await words_of(connection, part, "reason"), kinds, is_enum=bool(part.column("reason").labels)
        )
        given[part.column("reason").name] = _reason(part, words)
    if part.has("description"):
        given[part.column("description").name] = cut(
            sql.SQL("coalesce(nullif(t ->> 'reason', ''), t ->> 'kind')"), part.column("description")
        )
    if part.has("payment_ref"):
        given[part.column("payment_ref").name] = part.typed("payment_ref", sql.SQL("v_payment"))
    if part.has("metadata") and part.column("metadata").is_json:
        mark = sql.SQL(
            "(jsonb_build_object('heller', jsonb_strip_nulls(jsonb_build_object('seq', (t ->> 'seq')::bigint, 'kind', t ->> 'kind',"
            " 'payment', t ->> 'payment_key'))))::text"
        )
        given[part.column("metadata").name] = cut(mark, part.column("metadata"))
    if part.has("created_at"):
        given[part.column("created_at").name] = time_value("t ->> 'at'", part, "created_at")
    return fill_rest(part, given)


def _reason(part: Part, words: dict[str, str]) -> sql.Composed:
    """The column's word for the kind. A text column keeps what the caller said, unless there is a description to keep it."""
    column = part.column("reason")
    if column.labels:
        by_kind = _cases("t ->> 'kind'", words, column, sql.Literal(words["adjust"]))
        same = sql.SQL("(t ->> 'reason') = any ({})").format(sql.Literal(list(column.labels)))
        return sql.SQL("(case when {} then (t ->> 'reason')::{} else {} end)").format(
            same,
            sql.SQL(column.type),
            by_kind,
        )
    if part.has("description"):
        said = sql.SQL("coalesce(nullif(t ->> 'reason', ''), t ->> 'kind')")
        return _cases("t ->> 'kind'", words, column, said)
    by_kind = _cases("t ->> 'kind'", words, column, sql.SQL("t ->> 'kind'"))
    fixed = {kind: words[kind] for kind in ("purchase", "clawback")}
    return _cases(
        "t ->> 'kind'", fixed, column, sql.SQL("coalesce(nullif(t ->> 'reason', ''), {})").format(by_kind)
    )


def _balance(layout: Layout) -> sql.Composed:
    users = layout.users
    if layout.truth != "balance":
        return sql.SQL("").format()
    return sql.SQL(
        "  update {users} set {balance} = case when {id} = {user} then {owned} else 0 end\n"
        "  where {id} = {user} or {id} in (select {alias} from heller_fence.aliases a where a.user_id = v_id);"
    ).format(
        users=users.identifier, balance=users.quoted("balance"), id=users.quoted("id"), user=users.typed("id", sql.SQL("v_id")),
        alias=users.typed("id", sql.SQL("a.name")), owned=number(sql.SQL("s ->> 'balance'"), users, "balance"),
    )  # fmt: skip
