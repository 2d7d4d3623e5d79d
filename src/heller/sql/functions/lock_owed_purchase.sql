create or replace function heller.lock_owed_purchase(p_payment_key text) returns table (account_id text, credits bigint, payment jsonb)
language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query select w.account_id, w.credits, w.payment from heller.owed_purchases w
    where w.payment_key = p_payment_key and w.delivered_at is null for update;
end $$;
comment on function heller.lock_owed_purchase(text) is
  'A purchase that waits to be written into the legacy system, as it stands, locked until note_delivered commits: a refund waits for that, or has been taken off. No row when nothing waits.';
