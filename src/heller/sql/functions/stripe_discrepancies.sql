create or replace function heller.stripe_discrepancies(
  p_state text default null, p_since timestamptz default null, p_limit integer default 100, p_before bigint default null,
  p_payment_key text default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(d) from heller.discrepancies d
  where (p_state is null or state = p_state) and (p_since is null or found_at >= p_since)
    and (p_before is null or discrepancy_id < p_before) and (p_payment_key is null or payment_key = p_payment_key)
  order by discrepancy_id desc limit p_limit
$$;
comment on function heller.stripe_discrepancies(text, timestamptz, integer, bigint, text) is
  'What reconcile found, newest first; the next page starts before the last discrepancy_id of this one.';
