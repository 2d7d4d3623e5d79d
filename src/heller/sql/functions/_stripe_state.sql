create or replace function heller._stripe_state(p_snapshot jsonb) returns text
language sql immutable parallel safe set search_path = pg_catalog as $$
  select case
    when p_snapshot ->> 'status' = 'no_payment_required' then 'settled'
    when p_snapshot ->> 'status' = 'processing' then 'processing'
    when p_snapshot ->> 'status' = 'canceled' then 'canceled'
    when p_snapshot ->> 'status' <> 'succeeded' then case when p_snapshot ->> 'failure' is null then 'open' else 'failed' end
    when (p_snapshot ->> 'withheld')::bigint > 0 then 'disputed'
    when (p_snapshot ->> 'back')::bigint >= (p_snapshot ->> 'received')::bigint then 'refunded'
    when (p_snapshot ->> 'back')::bigint > 0 then 'partly_refunded'
    else 'settled' end
$$;
comment on function heller._stripe_state(jsonb) is 'The state of a payment that a look at Stripe means.';
