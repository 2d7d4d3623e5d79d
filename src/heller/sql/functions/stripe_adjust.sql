create or replace function heller.stripe_adjust(
  p_account_id text, p_amount bigint, p_payment_key text, p_actor text, p_reason text, p_unit text default 'credit', p_key text default null,
  p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  p heller.payments;
  v_result jsonb;
begin
  perform heller._check_text('payment', p_payment_key, 200);
  perform heller._check_text('actor', p_actor, 200);
  v_result := heller.adjust(p_account_id, p_amount, p_reason => p_reason, p_key => coalesce(p_key, 'adjust:' || p_payment_key), p_unit => p_unit,
                            p_actor => p_actor, p_metadata => jsonb_build_object('payment', p_payment_key), p_dry_run => p_dry_run);
  if p_dry_run then return v_result; end if;
  insert into heller.payments (payment_key, account_id, unit, credits, state, parked_reason)
  values (p_payment_key, p_account_id, p_unit, 0, 'settled', 'adjusted') on conflict (payment_key) do nothing;
  select * into p from heller.payments where payment_key = p_payment_key for update;
  if p.net_credits = 0 and not exists (select from heller.transactions where account_id = p.account_id and payment_key = p_payment_key and delta > 0) then
    -- answered by hand: converge must never credit it as well
    update heller.payments set credits = 0, amount = null, currency = null, order_id = null, version = version + 1, parked_reason = 'adjusted'
    where payment_key = p_payment_key;
  end if;
  update heller.inbox set status = 'done', reason = 'adjusted', actor = p_actor, closed_at = clock_timestamp()
  where payment_key = p_payment_key and status in ('pending', 'parked', 'dead');
  update heller.discrepancies set state = 'closed', note = p_reason, actor = p_actor, closed_at = clock_timestamp()
  where payment_key = p_payment_key and state = 'open';
  return v_result;
end $$;
comment on function heller.stripe_adjust(text, bigint, text, text, text, text, text, boolean) is
  'Credits (or takes) by hand in answer to a payment: the adjustment once, and that payment''s own credits never after it.';
