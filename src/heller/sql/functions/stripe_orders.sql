create or replace function heller.stripe_orders(
  p_account_id text default null, p_unfinished boolean default false, p_limit integer default 100, p_before jsonb default null
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog
set plan_cache_mode = force_custom_plan as $$  -- each kind of question has its own index
begin
  perform heller._check_place('before', p_before);
  return query
    select to_jsonb(o) from heller.orders o
    where (p_account_id is null or account_id = p_account_id) and (not p_unfinished or state in ('open', 'processing', 'requires_action'))
      and (p_before is null or (placed_at, order_id) < ((p_before ->> 0)::timestamptz, p_before ->> 1))
    order by placed_at desc, order_id desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.stripe_orders(text, boolean, integer, jsonb) is
  'Orders, newest first; of one account, or all that are unfinished; at most 1000 a call; the next page is before [placed_at, order_id] of the last.';
