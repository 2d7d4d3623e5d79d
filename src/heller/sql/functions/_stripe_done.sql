create or replace function heller._stripe_done(p_payment_key text, p_inbox_ids jsonb, p_status text default 'done', p_reason text default null) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  perform heller.stripe_close(p_inbox_ids, p_status, p_reason, null, p_payment_key);
  update heller.inbox set status = p_status, reason = p_reason, closed_at = clock_timestamp()
  where payment_key = p_payment_key and status = 'parked' and reason in ('no_order', 'order_conflict', 'order_already_paid', 'amount_too_low',
    'currency_mismatch', 'zero_amount_not_allowed', 'gone', 'unknown_account', 'unreadable', 'subscription_changed');
  update heller.discrepancies set state = 'closed', note = 'Stripe and the ledger agree now.', closed_at = clock_timestamp()
  where payment_key = p_payment_key and state = 'open' and kind in ('no_order', 'order_conflict', 'order_already_paid', 'amount_too_low',
    'currency_mismatch', 'zero_amount_not_allowed', 'gone', 'unknown_account', 'subscription_changed', 'ledger_refused', 'paid_no_more', 'unbooked');
end $$;
comment on function heller._stripe_done(text, jsonb, text, text) is 'Closes the events of a payment that is as it should be, those parked earlier as well, and what reconcile had written down of it.';
