create or replace function heller.stripe_rekey(p_inbox_ids jsonb, p_payment_key text) returns void
language sql security definer set search_path = pg_catalog as $$
  update heller.inbox set payment_key = p_payment_key where inbox_id in (select value::bigint from jsonb_array_elements_text(p_inbox_ids))
$$;
comment on function heller.stripe_rekey(jsonb, text) is 'Writes down which payment events belong to, once it is known.';
