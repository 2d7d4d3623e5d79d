create or replace function heller.stripe_erase(p_account_id text, p_actor text) returns integer
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_count integer;
begin
  perform heller._check_text('actor', p_actor, 200);
  update heller.inbox set body = null, erased_at = clock_timestamp(), actor = p_actor
  where body is not null and status not in ('pending', 'processing') and payment_key in (
    select payment_key from heller.payments where account_id = p_account_id
    -- of an order that was never paid there is no payment, but its session's end was told, with the buyer's name
    union all select n.name from heller.orders o, unnest(array[o.checkout_session, o.payment_intent]) x (id),
      lateral (select case when o.stripe_account = '' then x.id else o.stripe_account || '/' || x.id end) n (name)
    where o.account_id = p_account_id and x.id is not null);
  get diagnostics v_count = row_count;
  update heller.discrepancies set expected = null where account_id = p_account_id and expected ? 'facts';
  return v_count;
end $$;
comment on function heller.stripe_erase(text, text) is
  'Erases the personal data that Stripe sent about an account''s payments; the ledger and the bodies'' SHA-256 stay.';
