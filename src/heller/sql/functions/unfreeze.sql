create or replace function heller.unfreeze(p_account_id text, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
begin
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  update heller.accounts set frozen_at = null, frozen_reason = null, version = version + 1
  where account_id = p_account_id and unit = p_unit;
  perform heller._lock(p_account_id, p_unit);  -- what fell due meanwhile, in its order
  a := heller._finish(p_account_id, p_unit);
  return heller._account_result(a);
end $$;
comment on function heller.unfreeze(text, text) is 'Lets changes through again, and does what fell due meanwhile.';
