create or replace function heller.stripe_update_order(
  p_order_id text, p_checkout_session text default null, p_session_url text default null, p_payment_intent text default null,
  p_customer text default null, p_state text default null, p_failure text default null, p_session_attempt integer default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  o heller.orders;
  v_before text;
begin
  select state into v_before from heller.orders where order_id = p_order_id for update;
  if not found then return null; end if;
  update heller.orders set
    checkout_session = coalesce(p_checkout_session, checkout_session), session_url = coalesce(p_session_url, session_url),
    payment_intent = coalesce(p_payment_intent, payment_intent), stripe_customer = coalesce(p_customer, stripe_customer),
    session_attempt = coalesce(p_session_attempt, session_attempt), failure = coalesce(p_failure, failure),
    state = case when p_state is null or state = 'paid' then state else p_state end, updated_at = clock_timestamp()
  where order_id = p_order_id returning * into o;
  perform heller._top_up_ended(v_before, o);
  return to_jsonb(o);
end $$;
comment on function heller.stripe_update_order(text, text, text, text, text, text, text, integer) is
  'Writes down what Stripe answered about an order. A paid order stays paid.';
