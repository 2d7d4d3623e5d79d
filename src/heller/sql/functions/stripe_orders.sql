create or replace function heller.stripe_orders(
  p_account_id text default null, p_unfinished boolean default false, p_limit integer default 100, p_before jsonb default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(o) from heller.orders o
  where (p_account_id is null or account_id = p_account_id) and (not p_unfinished or state in ('open', 'processing', 'requires_action'))
    and (p_before is null or (placed_at, order_id) < ((p_before ->> 0)::timestamptz, p_before ->> 1))
  order by placed_at desc, order_id desc limit p_limit
$$;
comment on function heller.stripe_orders(text, boolean, integer, jsonb) is
  'Orders, newest first; of one account, or all that are unfinished; the next page is before [placed_at, order_id] of the last.';
