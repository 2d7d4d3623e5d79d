create or replace function heller.renew(p_account_id text, p_hold_id bigint, p_seconds integer default 900, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  h heller.holds;
begin
  perform heller._check_seconds(p_seconds);
  a := heller._lock(p_account_id, p_unit);
  perform heller._open_hold(p_account_id, p_unit, p_hold_id);
  update heller.holds set expires_at = greatest(expires_at, heller._clock() + make_interval(secs => p_seconds))
  where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id returning * into h;
  update heller.accounts set version = version + 1 where account_id = p_account_id and unit = p_unit;
  perform heller._reset_due(p_account_id, p_unit);
  return heller._hold_result(h) || jsonb_build_object('available', a.posted - a.held + a.overdraft_limit);
end $$;
comment on function heller.renew(text, bigint, integer, text) is 'Makes a hold last at least p_seconds from now; it never ends sooner than before.';
