create or replace function heller.stripe_discrepancy(
  p_kind text, p_payment_key text default null, p_account_id text default null, p_expected jsonb default null, p_actual jsonb default null,
  p_state text default 'open', p_note text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_id bigint;
begin
  if p_kind in ('no_order', 'unbooked') and heller._is_sold_in_legacy(p_payment_key) then
    return null;
  end if;
  select discrepancy_id into v_id from heller.discrepancies
  where state = 'open' and kind = p_kind and payment_key is not distinct from p_payment_key limit 1;
  if found then
    update heller.discrepancies set state = p_state, actual = coalesce(p_actual, actual), note = coalesce(p_note, note),
      closed_at = case when p_state <> 'open' then clock_timestamp() end
    where discrepancy_id = v_id;
    return v_id;
  end if;
  insert into heller.discrepancies (kind, payment_key, account_id, expected, actual, state, note, closed_at)
  values (p_kind, p_payment_key, p_account_id, p_expected, p_actual, p_state, p_note, case when p_state <> 'open' then clock_timestamp() end)
  returning discrepancy_id into v_id;
  return v_id;
end $$;
comment on function heller.stripe_discrepancy(text, text, text, jsonb, jsonb, text, text) is
  'Writes down a difference between Stripe and the ledger; an open one of the same kind and payment is brought up to date. Null for a payment that is the legacy system''s to book.';
