create or replace function heller._stripe_order_of(p_snapshot jsonb, p_livemode boolean, p_stripe_account text) returns jsonb
language plpgsql stable set search_path = pg_catalog as $$
declare
  o heller.orders;
  v_session text := p_snapshot #>> '{session,id}';
  v_subscription text := p_snapshot #>> '{invoice,subscription}';
begin
  select * into o from heller.orders where order_id = p_snapshot ->> 'order_id';
  if not found and v_session is not null then
    select * into o from heller.orders where checkout_session = v_session;
  end if;
  if not found and v_subscription is not null then
    select * into o from heller.orders where subscription = v_subscription;
  end if;
  if o.order_id is null then
    return jsonb_build_object('reason', 'no_order', 'detail', 'Nothing we sold belongs to this payment.');
  elsif o.livemode <> p_livemode or o.stripe_account <> p_stripe_account then
    return jsonb_build_object('reason', 'order_conflict', 'detail', format('Order %s was placed in another mode or Stripe account.', o.order_id));
  elsif o.stripe_customer is not null and p_snapshot ->> 'customer' <> o.stripe_customer then
    return jsonb_build_object('reason', 'order_conflict',
      'detail', format('Order %s is customer %s''s, the payment is %s''s.', o.order_id, o.stripe_customer, p_snapshot ->> 'customer'));
  elsif o.stripe_customer is not null and p_snapshot ->> 'customer' is null and p_snapshot ->> 'order_from' <> 'intent' then
    return jsonb_build_object('reason', 'order_conflict', 'detail', format('Order %s is customer %s''s, the payment is nobody''s.', o.order_id, o.stripe_customer));
  elsif v_session is not null and o.checkout_session <> v_session then
    return jsonb_build_object('reason', 'order_conflict', 'detail', format('Order %s has another checkout session than %s.', o.order_id, v_session));
  elsif (o.kind = 'subscription') <> (v_subscription is not null) then
    return jsonb_build_object('reason', 'order_conflict', 'detail', format('Order %s is a %s, the payment is not.', o.order_id, o.kind));
  elsif v_subscription is not null and o.subscription <> v_subscription then
    return jsonb_build_object('reason', 'order_conflict', 'detail', format('Order %s has another subscription than %s.', o.order_id, v_subscription));
  end if;
  return jsonb_build_object('order', o.order_id);
end $$;
comment on function heller._stripe_order_of(jsonb, boolean, text) is
  'Which order a payment pays, or why that is in doubt. The order''s account is credited, whatever the metadata says.';
