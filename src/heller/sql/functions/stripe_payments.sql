create or replace function heller.stripe_payments(
  p_account_id text default null, p_keys jsonb default null, p_since timestamptz default null, p_limit integer default 100
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(p) from heller.payments p
  where (p_account_id is null or account_id = p_account_id)
    and (p_keys is null or payment_key in (select jsonb_array_elements_text(p_keys)))
    and (p_since is null or created_at >= p_since)
  order by created_at desc limit p_limit
$$;
comment on function heller.stripe_payments(text, jsonb, timestamptz, integer) is 'Payments, newest first.';
