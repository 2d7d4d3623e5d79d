create or replace function heller.stripe_leave(
  p_account_id text, p_inbox_ids jsonb, p_status text, p_detail text default null, p_payment_key text default null
) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_epoch bigint;
begin
  -- an account that is arriving now holds this lock until it has looked at the inbox
  select epoch into v_epoch from heller.accounts where account_id = p_account_id and unit = 'credit' for share;
  if v_epoch is null or v_epoch % 2 = 1 then
    return false;
  end if;
  perform heller.stripe_close(p_inbox_ids, p_status, 'home_legacy', p_detail, p_payment_key);
  return true;
end $$;
comment on function heller.stripe_leave(text, jsonb, text, text, text) is
  'Ends events of an account whose home is the legacy system (ignored, or parked when the order is ours); false when it has come home meanwhile.';
