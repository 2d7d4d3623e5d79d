create or replace function heller.stripe_discrepancies(
  p_state text default null, p_since timestamptz default null, p_limit integer default 100, p_before bigint default null,
  p_payment_key text default null
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog
set plan_cache_mode = force_custom_plan as $$  -- each kind of question has its own index
begin
  return query
    select to_jsonb(d) from heller.discrepancies d
    where (p_state is null or state = p_state) and (p_since is null or found_at >= p_since)
      and (p_before is null or discrepancy_id < p_before) and (p_payment_key is null or payment_key = p_payment_key)
    order by discrepancy_id desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.stripe_discrepancies(text, timestamptz, integer, bigint, text) is
  'What reconcile found, newest first, at most 1000 a call; the next page starts before the last discrepancy_id of this one.';
