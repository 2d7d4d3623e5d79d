create or replace function heller.stripe_payment(p_payment_key text) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(p) from (
    select * from heller.payments where payment_key = p_payment_key
    union all
    select * from heller.payments where provider = 'stripe' and payment_intent = split_part(p_payment_key, '/', -1)
      and stripe_account = case when p_payment_key like '%/%' then split_part(p_payment_key, '/', 1) else '' end
    union all
    select * from heller.payments where provider = 'stripe' and checkout_session = split_part(p_payment_key, '/', -1)
      and stripe_account = case when p_payment_key like '%/%' then split_part(p_payment_key, '/', 1) else '' end
    union all
    select * from heller.payments where provider = 'stripe' and invoice = split_part(p_payment_key, '/', -1)
      and stripe_account = case when p_payment_key like '%/%' then split_part(p_payment_key, '/', 1) else '' end
    limit 1) p
$$;
comment on function heller.stripe_payment(text) is
  'One payment as it stands, by its key or by its payment intent, session or invoice (imported ones have keys of their own); its version is what converge compares with.';
