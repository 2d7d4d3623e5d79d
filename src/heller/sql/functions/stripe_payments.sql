create or replace function heller.stripe_payments(
  p_account_id text default null, p_keys jsonb default null, p_since timestamptz default null, p_limit integer default 100,
  p_before jsonb default null
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog
set plan_cache_mode = force_custom_plan as $$  -- each kind of question has its own index
begin
  perform heller._check_place('before', p_before);
  return query
    select to_jsonb(p) from heller.payments p
    where (p_account_id is null or account_id = p_account_id)
      and (p_keys is null or payment_key in (select jsonb_array_elements_text(p_keys)))
      and (p_since is null or created_at >= p_since)
      and (p_before is null or (created_at, payment_key) < ((p_before ->> 0)::timestamptz, p_before ->> 1))
    order by created_at desc, payment_key desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.stripe_payments(text, jsonb, timestamptz, integer, jsonb) is
  'Payments, newest first, at most 1000 a call; the next page is before [created_at, payment_key] of the last.';
