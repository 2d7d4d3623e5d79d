create or replace function heller.stripe_owe(
  p_account_id text, p_payment_key text, p_snapshot jsonb, p_livemode boolean, p_stripe_account text default '', p_inbox_ids jsonb default '[]'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_found jsonb := heller._stripe_order_of(p_snapshot, p_livemode, p_stripe_account);
  v_epoch bigint;
  o heller.orders;
  p heller.payments;
  w heller.owed_purchases;
  v_received bigint := (p_snapshot ->> 'received')::bigint;
  v_back bigint := (p_snapshot ->> 'back')::bigint + (p_snapshot ->> 'withheld')::bigint;
  v_doubt text;
  v_target bigint;
begin
  -- an account that is arriving now holds this lock until it has looked at the inbox
  select epoch into v_epoch from heller.accounts where account_id = p_account_id and unit = 'credit' for share;
  if v_epoch is null or v_epoch % 2 = 1 then
    return jsonb_build_object('outcome', 'stale', 'payment_key', p_payment_key);
  end if;
  select * into p from heller.payments where payment_key = p_payment_key;
  if p.source_system is not null or p.net_credits > 0 or p.state in ('refunded', 'disputed') then  -- it went home with its user
    perform heller._stripe_done(p_payment_key, p_inbox_ids, 'ignored', 'home_legacy');
    return jsonb_build_object('outcome', 'ignored', 'reason', 'home_legacy', 'payment_key', p_payment_key);
  elsif v_found ? 'reason' then
    return heller._stripe_park(p_payment_key, p_inbox_ids, v_found ->> 'reason', v_found ->> 'detail', 0);
  end if;
  select * into o from heller.orders where order_id = v_found ->> 'order' for update;
  p.payment_key := p_payment_key;
  p.amount := o.amount;
  p.currency := o.currency;
  p.credits := o.credits;
  v_doubt := heller._stripe_doubt(p, o, p_snapshot);
  if v_doubt is not null then
    return heller._stripe_park(p_payment_key, p_inbox_ids, v_doubt, heller._stripe_words(v_doubt, p, p_snapshot), coalesce(p.version, 0));
  end if;
  select * into w from heller.owed_purchases where payment_key = p_payment_key for update;
  v_target := case when p_snapshot ->> 'status' in ('succeeded', 'no_payment_required') then heller._stripe_target(o.credits, v_received, v_back) else 0 end;
  if v_target = 0 or w.delivered_at is not null then
    delete from heller.owed_purchases where payment_key = p_payment_key and delivered_at is null;
    perform heller._stripe_done(p_payment_key, p_inbox_ids, 'ignored', 'home_legacy');
    return jsonb_build_object('outcome', 'ignored', 'reason', 'home_legacy', 'payment_key', p_payment_key);
  end if;
  insert into heller.owed_purchases (payment_key, account_id, order_id, credits, payment)
  values (p_payment_key, p_account_id, o.order_id, v_target, jsonb_build_object(
    'payment_key', p_payment_key, 'provider', 'stripe', 'intent', p_snapshot ->> 'payment_intent', 'session', coalesce(p_snapshot #>> '{session,id}', o.checkout_session),
    'amount', v_received, 'currency', o.currency, 'credits', v_target, 'sold', o.credits, 'state', 'settled', 'at', clock_timestamp(),
    'events', (select coalesce(jsonb_agg(i.event_id order by i.inbox_id), '[]') from heller.inbox i where i.payment_key = p_payment_key)))
  on conflict (payment_key) do update set credits = excluded.credits, payment = excluded.payment;
  return heller._stripe_park(p_payment_key, p_inbox_ids, 'home_legacy',
    format('%s credits wait to be written into the legacy system, where %s is at home.', v_target, p_account_id), coalesce(p.version, 0));
end $$;
comment on function heller.stripe_owe(text, text, jsonb, boolean, text, jsonb) is
  'Notes what an account whose home is the legacy system bought here: its events are parked until it is written there. Answers stale when the account has come home meanwhile.';
