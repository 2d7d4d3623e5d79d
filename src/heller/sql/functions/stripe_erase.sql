create or replace function heller.stripe_erase(p_account_id text, p_actor text) returns integer
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_count integer;
begin
  perform heller._check_text('actor', p_actor, 200);
  update heller.inbox set body = null, erased_at = clock_timestamp(), actor = p_actor
  where body is not null and payment_key in (select payment_key from heller.payments where account_id = p_account_id)
    and status in ('done', 'ignored');
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function heller.stripe_erase(text, text) is
  'Erases the personal data that Stripe sent about an account''s payments; the ledger and the bodies'' SHA-256 stay.';
