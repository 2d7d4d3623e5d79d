create or replace function heller._stripe_order_follows(o heller.orders, p heller.payments, p_snapshot jsonb) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_is_paid boolean := p_snapshot ->> 'status' in ('succeeded', 'no_payment_required');
  v_state text := case
    when v_is_paid then 'paid'
    when o.state = 'paid' then 'paid'
    when p_snapshot ->> 'status' = 'processing' then 'processing'
    when p_snapshot ->> 'status' = 'canceled' then 'canceled'
    when p_snapshot ->> 'status' = 'requires_action' then 'requires_action'
    when o.kind = 'top_up' and p_snapshot ->> 'failure_code' = 'authentication_required' then 'requires_action'
    else o.state end;
  v_before text := o.state;
begin
  update heller.orders set state = v_state, updated_at = clock_timestamp(),
    failure = case when v_is_paid then null else coalesce(p_snapshot ->> 'failure', failure) end,
    payment_intent = coalesce(payment_intent, p_snapshot ->> 'payment_intent'),
    payment_key = case when v_is_paid then coalesce(payment_key, p.payment_key) else payment_key end,
    subscription = coalesce(subscription, p_snapshot #>> '{invoice,subscription}'),
    checkout_session = coalesce(checkout_session, p_snapshot #>> '{session,id}')
  where order_id = o.order_id returning * into o;
  perform heller._top_up_ended(v_before, o);
end $$;
comment on function heller._stripe_order_follows(heller.orders, heller.payments, jsonb) is 'Brings an order''s state in line with its payment.';
