create or replace function heller._stripe_doubt(p heller.payments, o heller.orders, p_snapshot jsonb) returns text
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_received bigint := (p_snapshot ->> 'received')::bigint;
  v_lines jsonb := coalesce(nullif(p_snapshot -> 'session', 'null'), nullif(p_snapshot -> 'invoice', 'null'));
  v_discount bigint := coalesce((v_lines ->> 'discount')::bigint, 0);
begin
  if p_snapshot ->> 'status' not in ('succeeded', 'no_payment_required') then
    return null;
  elsif p.source_system is not null and p.net_credits > 0 then
    return null;  -- the source credited it; only what is taken back since counts
  elsif o.order_id is not null and o.kind <> 'subscription' and o.payment_key <> p.payment_key then
    return 'order_already_paid';
  elsif o.kind = 'subscription' and p_snapshot #>> '{invoice,reason}' not in ('subscription_create', 'subscription_cycle') then
    return 'subscription_changed';
  elsif p_snapshot ->> 'status' = 'no_payment_required' and not coalesce(o.allow_zero, false) then
    return 'zero_amount_not_allowed';
  elsif lower(p_snapshot ->> 'currency') <> lower(p.currency) then
    return 'currency_mismatch';
  elsif o.order_id is not null and (v_lines ->> 'subtotal')::bigint < p.amount then
    return 'amount_too_low';
  elsif v_discount > 0 and not coalesce(o.allow_promotion_codes, false) and o.order_id is not null then
    return 'amount_too_low';
  elsif v_received < p.amount - v_discount then
    return 'amount_too_low';
  end if;
  return null;
end $$;
comment on function heller._stripe_doubt(heller.payments, heller.orders, jsonb) is
  'Why a paid payment must not be credited without a person: null when all is as ordered.';
