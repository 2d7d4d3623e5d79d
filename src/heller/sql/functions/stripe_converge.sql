create or replace function heller.stripe_converge(
  p_payment_key text, p_seen bigint, p_snapshot jsonb, p_livemode boolean, p_stripe_account text default '', p_inbox_ids jsonb default '[]',
  p_policy text default 'debt', p_cause text default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  p heller.payments;
  o heller.orders;
  v_result jsonb;
  v_found jsonb;
  v_doubt text;
  v_received bigint := (p_snapshot ->> 'received')::bigint;
  v_back bigint := (p_snapshot ->> 'back')::bigint + (p_snapshot ->> 'withheld')::bigint;
  v_is_paid boolean := p_snapshot ->> 'status' in ('succeeded', 'no_payment_required');
  v_is_gone boolean := v_received > 0 and v_back >= v_received;
  v_target bigint;
  v_posted jsonb;
begin
  if p_dry_run then
    begin
      v_result := heller.stripe_converge(p_payment_key, p_seen, p_snapshot, p_livemode, p_stripe_account, '[]', p_policy, p_cause);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  if (p_snapshot ->> 'livemode')::boolean <> p_livemode then
    perform heller.stripe_close(p_inbox_ids, 'ignored', 'mode', null, p_payment_key);
    return jsonb_build_object('outcome', 'ignored', 'reason', 'mode', 'payment_key', p_payment_key, 'delta', 0);
  end if;
  select * into p from heller.payments where payment_key = p_payment_key;
  if not found then
    v_found := heller._stripe_order_of(p_snapshot, p_livemode, p_stripe_account);
    if v_found ? 'reason' then
      perform heller._stripe_name_lock(p_snapshot ->> 'payment_intent', p_snapshot #>> '{session,id}');
      if heller.stripe_payment(p_payment_key) is not null or heller.stripe_payment(p_snapshot #>> '{session,id}') is not null then
        return jsonb_build_object('outcome', 'stale', 'payment_key', p_payment_key, 'delta', 0);  -- it came with its buyer just now
      end if;
      if v_found ->> 'reason' = 'no_order' and heller._is_sold_in_legacy(p_payment_key) then
        perform heller._stripe_done(p_payment_key, p_inbox_ids, 'ignored', 'home_legacy');
        return jsonb_build_object('outcome', 'ignored', 'reason', 'home_legacy', 'payment_key', p_payment_key, 'delta', 0);
      end if;
      if v_is_paid and not v_is_gone then
        return heller._stripe_park(p_payment_key, p_inbox_ids, v_found ->> 'reason', v_found ->> 'detail', 0);
      end if;
      perform heller._stripe_done(p_payment_key, p_inbox_ids, 'ignored', case when v_is_gone then 'taken_back_before_credit' else 'not_ours_unpaid' end);
      return jsonb_build_object('outcome', 'ignored', 'reason', v_found ->> 'reason', 'payment_key', p_payment_key, 'delta', 0);
    end if;
    select * into o from heller.orders where order_id = v_found ->> 'order';
  elsif p.order_id is not null then
    select * into o from heller.orders where order_id = p.order_id;
  end if;
  if v_is_paid and (o.automatic_tax or o.allow_promotion_codes) and o.kind = 'checkout' and coalesce(p_snapshot -> 'session', 'null') = 'null' then
    return jsonb_build_object('outcome', 'needs_session', 'payment_key', p_payment_key, 'delta', 0);
  end if;
  if p.payment_key is null then
    insert into heller.payments (payment_key, account_id, unit, payment_intent, checkout_session, invoice, amount, currency, credits, state,
                                 order_id, stripe_account, livemode, stripe_customer)
    values (p_payment_key, o.account_id, o.unit, p_snapshot ->> 'payment_intent',
            case when p_snapshot ->> 'payment_intent' is null and o.kind = 'checkout' then p_snapshot #>> '{session,id}' end, p_snapshot #>> '{invoice,id}',
            o.amount, o.currency, o.credits, 'open', o.order_id, p_stripe_account, p_livemode, p_snapshot ->> 'customer')
    on conflict do nothing;
  end if;
  update heller.payments set version = version + 1, snapshot = p_snapshot, checked_at = clock_timestamp()
  where payment_key = p_payment_key and version = p_seen returning * into p;
  if not found then
    return jsonb_build_object('outcome', 'stale', 'payment_key', p_payment_key, 'delta', 0);
  end if;
  select * into o from heller.orders where order_id = p.order_id for update;
  v_doubt := heller._stripe_doubt(p, o, p_snapshot);
  if v_doubt is not null and not (v_is_gone and p.net_credits = 0) then
    return heller._stripe_park(p.payment_key, p_inbox_ids, v_doubt, heller._stripe_words(v_doubt, p, p_snapshot), p.version)
           || jsonb_build_object('account', p.account_id, 'state', p.state);
  end if;
  v_target := case when v_doubt is not null or not v_is_paid then least(p.net_credits, 0) else heller._stripe_target(p.credits, v_received, v_back) end;
  if v_is_paid and v_doubt is null then
    v_posted := heller._stripe_post(p, o, v_target, p_policy, p_snapshot, p_cause);
  elsif p.net_credits > 0 then
    return heller._stripe_park(p.payment_key, p_inbox_ids, 'paid_no_more', heller._stripe_words('paid_no_more', p, p_snapshot), p.version)
           || jsonb_build_object('account', p.account_id, 'state', p.state);
  end if;
  update heller.payments set
    net_credits = v_target, state = heller._stripe_state(p_snapshot), paid = case when v_is_paid then v_received else 0 end, taken_back = v_back,
    forgiven_credits = coalesce((v_posted ->> 'forgiven')::bigint, forgiven_credits), expires_at = (v_posted ->> 'expires_at')::timestamptz,
    parked_reason = null, payment_intent = coalesce(payment_intent, p_snapshot ->> 'payment_intent'),
    updated_at = case when v_target <> net_credits or state <> heller._stripe_state(p_snapshot) then clock_timestamp() else updated_at end
  where payment_key = p.payment_key;
  if o.order_id is not null and v_doubt is null then
    perform heller._stripe_order_follows(o, p, p_snapshot);
  end if;
  perform heller._stripe_done(p.payment_key, p_inbox_ids);
  if p.credits = 0 and p.source_system is null and v_back > p.taken_back then  -- how much of the answer by hand stands is a person's to say
    perform heller.stripe_discrepancy('adjusted', p.payment_key, p.account_id, p_expected => jsonb_build_object('taken_back', v_back, 'of', v_received),
      p_note => 'It was answered by hand (adjust) and has been taken back at Stripe since; take those credits back by hand too, where they should not stay.');
  end if;
  if o.kind = 'subscription' and p.net_credits = 0 and v_target > 0 and (p_snapshot #>> '{invoice,subtotal}')::bigint > p.amount then
    perform heller.stripe_discrepancy('overpaid', p.payment_key, p.account_id,
      p_expected => jsonb_build_object('sold_for', p.amount, 'invoiced', (p_snapshot #>> '{invoice,subtotal}')::bigint, 'currency', p.currency),
      p_note => format('The period was sold for %s credits and more was invoiced for it; those credits were given. Was the subscription changed at Stripe? Then give the rest by hand, and sell the new plan by an order.', p.credits));
  end if;
  return jsonb_build_object('outcome', 'applied', 'payment_key', p.payment_key, 'version', p.version, 'delta', coalesce((v_posted ->> 'delta')::bigint, 0),
    'net_credits', v_target, 'state', heller._stripe_state(p_snapshot), 'account', p.account_id, 'unit', p.unit, 'order', p.order_id,
    'overpaid', case when v_is_paid and o.order_id is not null and coalesce(p_snapshot -> 'session', 'null') = 'null'
                          and coalesce(p_snapshot -> 'invoice', 'null') = 'null' then greatest(v_received - p.amount, 0) else 0 end);
end $$;
comment on function heller.stripe_converge(text, bigint, jsonb, boolean, text, jsonb, text, text, boolean) is
  'Brings the ledger in line with one look at Stripe, if nothing was applied since version p_seen was read; else answers stale. Credits come from our order; the events answered are closed in the same transaction.';
