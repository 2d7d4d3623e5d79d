create or replace function heller.stripe_assign(
  p_payment_key text, p_account_id text, p_credits bigint, p_actor text, p_reason text, p_unit text default 'credit',
  p_stripe_account text default '', p_livemode boolean default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  p heller.payments;
begin
  perform heller._check_text('actor', p_actor, 200);
  perform heller._check_text('reason', p_reason, 500);
  if p_credits is null or p_credits < 1 then
    perform heller._fail('HL001', 'credits must be at least 1', '{"argument": "credits"}');
  elsif not exists (select from heller.accounts where account_id = p_account_id and unit = p_unit) then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  end if;
  insert into heller.payments (payment_key, account_id, unit, credits, state, stripe_account, livemode, payment_intent)
  values (p_payment_key, p_account_id, p_unit, p_credits, 'open', p_stripe_account, p_livemode,
          case when split_part(p_payment_key, '/', -1) like 'pi\_%' then split_part(p_payment_key, '/', -1) end)
  on conflict (payment_key) do nothing;
  select * into p from heller.payments where payment_key = p_payment_key for update;
  if p.net_credits > 0 or exists (select from heller.transactions where account_id = p.account_id and payment_key = p_payment_key and delta > 0) then
    perform heller._fail('HL001', format('payment %s was credited to account %s already', p_payment_key, p.account_id), '{"argument": "payment"}');
  end if;
  update heller.payments set account_id = p_account_id, unit = p_unit, credits = p_credits, amount = null, currency = null, order_id = null,
    version = version + 1, parked_reason = null, updated_at = clock_timestamp()
  where payment_key = p_payment_key returning * into p;
  insert into heller.discrepancies (kind, payment_key, account_id, actual, state, note, actor, closed_at)
  values ('assigned', p_payment_key, p_account_id, jsonb_build_object('credits', p_credits), 'closed', p_reason, p_actor, clock_timestamp());
  update heller.discrepancies set state = 'closed', note = p_reason, actor = p_actor, closed_at = clock_timestamp()
  where payment_key = p_payment_key and state = 'open';
  perform heller.stripe_retry(p_payment_key => p_payment_key, p_actor => p_actor);
  return to_jsonb(p);
end $$;
comment on function heller.stripe_assign(text, text, bigint, text, text, text, text, boolean) is
  'A person says whose a payment is and what it is worth; converge then credits it if Stripe says that it was paid.';
