"""Changes that heller makes in the legacy system, by its own rules: a history row and the balance.

``heller_fence.post`` is the facade's; ``heller_fence.deliver`` writes what a user bought in heller and paid after going home.
"""

from psycopg import AsyncConnection, sql

from heller.migration.handover.guards import balance_of, history_of
from heller.migration.handover.layout import Layout
from heller.migration.handover.taking_back import payment_statements, transaction_values
from heller.migration.handover.writing import names_of, number, values_of

_POST = """
create or replace function heller_fence.post(p_user text, t jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog, {schema}, pg_temp as $post$
declare
  v_id text := coalesce(heller_fence.user_of(p_user), p_user);
  v_delta bigint := (t ->> 'delta')::bigint;
  v_balance bigint;
  v_owned bigint;
  v_payment text;
  v_row text;
  k heller_fence.keys;
begin
  perform from {users} where {users_id} = {user} for update;
  if not found then
    return jsonb_build_object('error', 'HL003', 'message', format('the legacy system has no user %s', p_user), 'detail', jsonb_build_object('account', p_user));
  end if;
  if heller_fence.epoch_of(v_id, true) % 2 = 1 then
    perform heller_fence.refused(v_id, 'users', 'UPDATE', '{{}}', 0);
  end if;
  select b.balance into v_balance from heller_fence.balances(array[v_id]) b;
  select * into k from heller_fence.keys where user_id = v_id and key = t ->> 'key';
  if found then
    if (k.kind, k.delta, k.reason, k.metadata) is distinct from (t ->> 'kind', v_delta, coalesce(t ->> 'reason', ''), nullif(t -> 'metadata', 'null')) then
      return jsonb_build_object('error', 'HL013', 'message', format('key %s was used for a different request', k.key),
                                'detail', jsonb_build_object('account', v_id, 'key', k.key));
    end if;
    return jsonb_build_object('account', v_id, 'delta', v_delta, 'balance_after', v_balance, 'replayed', true);
  end if;
  if v_delta < 0 and v_balance + v_delta < 0 then
    return jsonb_build_object('error', 'HL002', 'message', format('%s credits are needed and %s are available', -v_delta, v_balance),
                              'detail', jsonb_build_object('account', v_id, 'required', -v_delta, 'available', v_balance));
  end if;
  t := t || jsonb_build_object('balance_after', v_balance + v_delta, 'at', clock_timestamp());
  insert into {table} ({columns}) values ({values}) returning {id}::text into v_row;
{balance}
  insert into heller_fence.keys (user_id, key, kind, delta, reason, metadata, source_table, source_id)
  select v_id, t ->> 'key', t ->> 'kind', v_delta, coalesce(t ->> 'reason', ''), nullif(t -> 'metadata', 'null'), {label}, v_row where t ->> 'key' is not null;
  return jsonb_build_object('account', v_id, 'delta', v_delta, 'balance_after', v_balance + v_delta, 'replayed', false);
end $post$
"""

_DELIVER = """
create or replace function heller_fence.deliver(p_user text, p jsonb, p_credits bigint) returns text
language plpgsql security definer set search_path = pg_catalog, {schema}, pg_temp as $deliver$
declare
  v_id text := p_user;
  v_delta bigint := p_credits;
  v_balance bigint;
  v_owned bigint;
  v_payment text;
  v_row text;
  t jsonb;
begin
  perform from {users} where {users_id} = {user} for update;
  if exists (select from heller_fence.carried_payments where payment_key = p ->> 'payment_key') then
    return 'known';
  elsif heller_fence.epoch_of(v_id, true) % 2 = 1 then
    return 'away';
  end if;
  select b.balance into v_balance from heller_fence.balances(array[v_id]) b;
{payment}
  insert into heller_fence.carried_payments (payment_key, user_id) values (p ->> 'payment_key', v_id) on conflict do nothing;
  update heller_fence.carried_payments set delivered = p_credits where payment_key = p ->> 'payment_key' returning source_id into v_payment;
  t := jsonb_build_object('delta', v_delta, 'kind', 'purchase', 'reason', 'purchase', 'balance_after', v_balance + v_delta, 'at', clock_timestamp(),
                          'payment_key', p ->> 'payment_key', 'key', 'purchase:' || (p ->> 'payment_key'));
  insert into {table} ({columns}) values ({values}) returning {id}::text into v_row;
{balance}
  insert into heller_fence.keys (user_id, key, kind, delta, reason, source_table, source_id)
  values (v_id, t ->> 'key', 'purchase', v_delta, 'purchase', {label}, v_row) on conflict do nothing;
  insert into heller_fence.credited (key, user_id)
  select distinct k.key, v_id from (select p ->> 'intent' union all select p ->> 'session' union all select jsonb_array_elements_text(p -> 'events')) k (key)
  where k.key is not null on conflict do nothing;
  return 'credited';
end $deliver$
"""

# What a trigger of the legacy system has added already is not added again: the balance becomes what it was plus the change.
_BALANCE = """
  select coalesce({own}, {history}) + v_balance + v_delta - b.balance into v_owned
  from {users} u, heller_fence.balances(array[v_id]) b where u.{id} = {user};
  update {users} u set {balance} = {owned} where u.{id} = {user};
"""


async def post_statements(legacy: AsyncConnection, layout: Layout) -> list[sql.Composed]:
    """The functions for one layout; none where there is no history to write to."""
    main, users = layout.main_history, layout.users
    if main is None:
        return []
    me = users.typed("id", sql.SQL("v_id"))
    balance: sql.Composable = sql.SQL("")
    if layout.truth == "balance":
        balance = sql.SQL(_BALANCE).format(
            users=users.identifier, balance=users.quoted("balance"), id=users.quoted("id"), user=me,
            own=balance_of(users, sql.SQL("u")), history=history_of(layout, sql.SQL("v_id")),
            owned=number(sql.SQL("v_owned"), users, "balance"),
        )  # fmt: skip
    given = await transaction_values(legacy, main, layout.mapping.kinds)
    payment = await payment_statements(legacy, layout)
    written: dict[str, sql.Composable] = {
        "schema": sql.Identifier(users.table.schema), "users": users.identifier, "users_id": users.quoted("id"), "user": me,
        "table": main.identifier, "columns": names_of(given), "values": values_of(given), "id": main.quoted("id"), "balance": balance,
        "label": sql.Literal(main.label),
    }  # fmt: skip
    return [
        sql.SQL(_POST).format(**written),
        sql.SQL(_DELIVER).format(payment=sql.SQL("").join(payment), **written),
        sql.SQL("revoke all on function heller_fence.deliver(text, jsonb, bigint) from public").format(),
        sql.SQL("revoke all on function heller_fence.post(text, jsonb) from public").format(),
    ]  # fmt: skip
