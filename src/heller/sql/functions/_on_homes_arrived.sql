create or replace function heller._on_homes_arrived(p_accounts text[]) returns void
language sql set search_path = pg_catalog as $$
  update heller.inbox set due_at = clock_timestamp()
  where status = 'pending' and due_at > clock_timestamp() and payment_key in (
    select payment_key from heller.payments where account_id = any (p_accounts)
    union all
    select o.payment_key from heller.orders o where o.account_id = any (p_accounts) and o.payment_key is not null
    union all
    select o.payment_intent from heller.orders o where o.account_id = any (p_accounts) and o.payment_intent is not null)
$$;
comment on function heller._on_homes_arrived(text[]) is
  'Called inside the transaction that brings accounts home: deliveries of payments that waited for them are due now.';
