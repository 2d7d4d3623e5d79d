create or replace function heller._stripe_post(
  p heller.payments, o heller.orders, p_target bigint, p_policy text, p_snapshot jsonb, p_cause text
) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  v_key text := p.payment_key || '#' || p.version;
  v_net bigint := p.net_credits;
  v_forgiven bigint := p.forgiven_credits;
  v_expires_at timestamptz := p.expires_at;
  v_delta bigint;
  v_left bigint;
  v_metadata jsonb := jsonb_strip_nulls(jsonb_build_object('order', p.order_id, 'cause', p_cause, 'stripe_status', p_snapshot ->> 'status'));
  c record;
begin
  if p.credits > 0 and not exists (select from heller.transactions where account_id = p.account_id and payment_key = p.payment_key
                                   and kind in ('purchase', 'grant') and delta > 0 and source_system is null)
     and (p.source_system is null or (v_net = 0 and p.state in ('open', 'processing', 'failed'))) then
    if o.kind = 'subscription' and o.carry = 'expire' then
      v_expires_at := greatest(to_timestamp((p_snapshot #>> '{invoice,period_end}')::bigint), heller._clock() + interval '1 day');
    elsif o.valid_days is not null then
      v_expires_at := heller._clock() + make_interval(days => o.valid_days);
    end if;
    perform heller.grant(p.account_id, p.credits, p_source => case o.kind when 'subscription' then 'subscription' else 'purchase' end,
      p_reason => coalesce(o.metadata ->> 'reason', case o.kind when 'subscription' then 'subscription' else 'purchase' end), p_key => v_key,
      p_unit => p.unit, p_actor => 'stripe', p_metadata => v_metadata, p_expires_at => v_expires_at,
      p_cost => greatest((p_snapshot ->> 'received')::bigint - coalesce((p_snapshot #>> '{session,tax}')::bigint, 0), 0),
      p_currency => coalesce(p_snapshot ->> 'currency', p.currency, o.currency), p_payment_key => p.payment_key);
    -- what the legacy system took back of a payment before it had credited it came with its buyer
    v_net := p.credits + (select coalesce(sum(t.delta), 0) from heller.transactions t
                          where t.account_id = p.account_id and t.unit = p.unit and t.payment_key = p.payment_key and t.kind = 'clawback'
                            and t.source_system is not null);
  end if;
  v_delta := p_target - v_net;
  if v_delta < 0 then
    v_forgiven := v_forgiven + (heller.clawback(p.account_id, -v_delta, p.payment_key,
      p_reason => case when (p_snapshot ->> 'withheld')::bigint > 0 then 'dispute' else 'refund' end, p_key => v_key || ':clawback', p_unit => p.unit,
      p_actor => 'stripe', p_metadata => v_metadata, p_policy => p_policy) ->> 'shortfall')::bigint;
  elsif v_delta > 0 then
    v_left := v_delta - least(v_delta, v_forgiven);  -- what was let go is still there
    v_forgiven := v_forgiven - (v_delta - v_left);
    for c in
      select t.seq, (-t.delta - (select coalesce(sum(r.delta), 0) from heller.transactions r
                                where r.account_id = t.account_id and r.unit = t.unit and r.related_seq = t.seq and r.kind = 'reinstate'))::bigint as undone
      from heller.transactions t
      where t.account_id = p.account_id and t.payment_key = p.payment_key and t.unit = p.unit and t.kind = 'clawback' and t.source_system is null
      order by t.seq desc
    loop
      exit when v_left = 0;
      continue when c.undone = 0;
      perform heller.reinstate(p.account_id, c.seq, least(c.undone, v_left), p_reason => 'reinstated', p_key => v_key || ':reinstate:' || c.seq,
        p_unit => p.unit, p_actor => 'stripe', p_metadata => v_metadata);
      v_left := v_left - least(c.undone, v_left);
    end loop;
    if v_left > 0 then
      perform heller._fail('HL015', format('payment %s should stand at %s credits, but %s of them were never taken back here', p.payment_key, p_target, v_left),
                           jsonb_build_object('payment', p.payment_key));
    end if;
  end if;
  return jsonb_build_object('delta', p_target - p.net_credits, 'forgiven', v_forgiven, 'expires_at', v_expires_at);
end $$;
comment on function heller._stripe_post(heller.payments, heller.orders, bigint, text, jsonb, text) is
  'Takes the ledger from what stands of a payment to the target: the purchase once, then clawbacks and their reinstatements.';
