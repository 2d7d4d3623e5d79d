create or replace function heller.freeze(p_account_id text, p_reason text, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  a heller.accounts;
begin
  perform heller._check_text('reason', p_reason, 500);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  update heller.accounts set frozen_at = coalesce(frozen_at, v_now), frozen_reason = p_reason, version = version + 1
  where account_id = p_account_id and unit = p_unit returning * into a;
  return heller._account_result(a);
end $$;
comment on function heller.freeze(text, text, text) is 'Takes no change of an account until unfreeze; open holds can still be released.';
