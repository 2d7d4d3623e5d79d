create or replace function heller.credit_purchase(
  p_account_id text, p_payment_key text, p_credits bigint, p_intent text default null, p_session text default null, p_amount bigint default null,
  p_currency text default null, p_reason text default 'purchase', p_metadata jsonb default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  m heller.payments;
  v_result jsonb;
begin
  perform heller._check_amount('amount', p_credits);
  perform heller._lock(p_account_id, 'credit');  -- refuses an account that is away: whoever owns it credits it
  select * into m from heller.payments
  where payment_key = p_payment_key or (p_intent is not null and payment_intent = p_intent) or (p_session is not null and checkout_session = p_session)
  order by net_credits desc limit 1 for no key update;
  if found and (m.net_credits > 0 or m.state not in ('open', 'processing')) then
    return jsonb_build_object('outcome', 'known', 'payment_key', m.payment_key);
  elsif found and m.account_id <> p_account_id then
    perform heller._fail('HL015', format('payment %s belongs to account %s', m.payment_key, m.account_id), jsonb_build_object('payment', m.payment_key));
  end if;
  v_result := heller.grant(p_account_id, p_credits, 'purchase', p_reason, p_key => 'purchase:' || coalesce(m.payment_key, p_payment_key),
    p_metadata => p_metadata, p_cost => case when p_currency is null then 0 else coalesce(p_amount, 0) end, p_currency => p_currency,
    p_payment_key => coalesce(m.payment_key, p_payment_key));
  insert into heller.payments as x (payment_key, account_id, payment_intent, checkout_session, amount, currency, credits, net_credits, state)
  values (coalesce(m.payment_key, p_payment_key), p_account_id, p_intent, p_session, p_amount, p_currency, p_credits, p_credits, 'settled')
  on conflict (payment_key) do update set net_credits = p_credits, credits = greatest(x.credits, p_credits), state = 'settled',
    version = x.version + 1, updated_at = clock_timestamp();
  return jsonb_build_object('outcome', 'credited', 'payment_key', coalesce(m.payment_key, p_payment_key), 'seq', v_result -> 'seq');
end $$;
comment on function heller.credit_purchase(text, text, bigint, text, text, bigint, text, text, jsonb) is
  'Credits a purchase that was reported by something other than Stripe''s own events (the legacy system''s outbox), once per payment whoever reports it.';
