create or replace function heller.stripe_unfinished_payments(p_stripe_account text default '', p_limit integer default 10000) returns setof text
language sql stable security definer set search_path = pg_catalog as $$
  select x.payment_key from (
  select payment_key from heller.payments
  where provider = 'stripe' and stripe_account = p_stripe_account and (state = 'processing' or parked_reason is not null and parked_reason <> 'adjusted'
           or state = 'open' and order_id is null and source_system is null)  -- assigned, and not looked at since
    and payment_intent is not null
  union
  select payment_key from heller.inbox where status in ('parked', 'dead') and payment_key is not null and stripe_account = p_stripe_account
    and reason in ('no_order', 'gone', 'unknown_account', 'attempts')
  ) x order by random()  -- where there are more, each time others: none is left for good
  limit least(greatest(p_limit, 1), 10000)
$$;
comment on function heller.stripe_unfinished_payments(text, integer) is 'Payments that may have got on meanwhile: debits under way, and those parked for what may have come since.';
