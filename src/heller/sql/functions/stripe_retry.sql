create or replace function heller.stripe_retry(p_inbox_id bigint default null, p_payment_key text default null, p_actor text default null) returns integer
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_count integer;
begin
  if (p_inbox_id is null) = (p_payment_key is null) then
    perform heller._fail('HL001', 'name one delivery or one payment', '{"argument": "inbox_id"}');
  end if;
  update heller.inbox set status = 'pending', attempts = 0, postponed = 0, due_at = clock_timestamp(), actor = p_actor, closed_at = null, reason = null
  where (inbox_id = p_inbox_id or payment_key = p_payment_key) and status not in ('processing', 'pending');
  get diagnostics v_count = row_count;
  update heller.inbox set due_at = clock_timestamp() where (inbox_id = p_inbox_id or payment_key = p_payment_key) and status = 'pending';
  return v_count;
end $$;
comment on function heller.stripe_retry(bigint, text, text) is 'Puts events back into the queue, whatever became of them; safe, because converge looks at Stripe anew.';
