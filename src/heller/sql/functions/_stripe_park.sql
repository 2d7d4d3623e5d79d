create or replace function heller._stripe_park(p_payment_key text, p_inbox_ids jsonb, p_reason text, p_detail text, p_version bigint) returns jsonb
language plpgsql set search_path = pg_catalog as $$
begin
  update heller.payments set parked_reason = p_reason where payment_key = p_payment_key;
  perform heller.stripe_close(p_inbox_ids, 'parked', p_reason, p_detail, p_payment_key);
  return jsonb_build_object('outcome', 'parked', 'reason', p_reason, 'detail', p_detail, 'payment_key', p_payment_key, 'version', p_version, 'delta', 0);
end $$;
comment on function heller._stripe_park(text, jsonb, text, text, bigint) is 'Leaves a payment and its events to a person.';
