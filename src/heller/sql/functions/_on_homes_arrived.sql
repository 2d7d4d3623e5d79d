create or replace function heller._on_homes_arrived(p_accounts text[]) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_keys text[];
  v_sessions text[];
begin
  select array_agg(k.key), array_agg(k.session) into v_keys, v_sessions from (
    select unnest(array[p.payment_key, p.payment_intent]) as key, p.checkout_session as session from heller.payments p where p.account_id = any (p_accounts)
    union
    select unnest(array[o.payment_key, o.payment_intent]), o.checkout_session from heller.orders o where o.account_id = any (p_accounts)) k;
  update heller.inbox set status = 'pending', due_at = clock_timestamp(), closed_at = null, reason = null, detail = null
  where payment_key = any (v_keys)
    and (status = 'pending' and due_at > clock_timestamp() or status in ('ignored', 'parked') and reason in ('home_legacy', 'no_order'));
  -- known here by its session only, because nothing was paid when it was begun; its other events have the intent's key
  update heller.inbox set status = 'pending', due_at = clock_timestamp(), closed_at = null, reason = null, detail = null
  where status = 'parked' and reason in ('home_legacy', 'no_order') and payment_key in (
    select payment_key from heller.inbox where status = 'parked' and object_id = any (v_sessions));
end $$;
comment on function heller._on_homes_arrived(text[]) is
  'Called inside the transaction that brings accounts home: deliveries of payments that waited for them, or that nobody here knew or owned, are due now.';
