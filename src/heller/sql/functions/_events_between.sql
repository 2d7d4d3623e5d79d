create or replace function heller._events_between(
  p_position jsonb, p_until timestamptz, p_limit integer, p_account_id text, p_kinds text[]
) returns setof heller.transactions
language sql stable set search_path = pg_catalog as $$
  select t.* from heller.transactions t
  where t.recorded_at >= (p_position ->> 'at')::timestamptz and t.recorded_at < p_until
    and (t.recorded_at, t.account_id, t.unit, t.seq) > ((p_position ->> 'at')::timestamptz, p_position ->> 'account', p_position ->> 'unit',
                                                        (p_position ->> 'seq')::bigint)
    and (p_account_id is null or t.account_id = p_account_id) and (p_kinds is null or t.kind = any (p_kinds))
  order by t.recorded_at, t.account_id, t.unit, t.seq limit p_limit
$$;
comment on function heller._events_between(jsonb, timestamptz, integer, text, text[]) is 'Transactions behind a position, in the order of events.';
