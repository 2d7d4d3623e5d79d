create or replace function heller.renew(
  p_account_id text, p_hold_id bigint, p_seconds integer default 900, p_unit text default 'credit', p_if_version bigint default null,
  p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  a heller.accounts;
  h heller.holds;
  v_result jsonb;
begin
  if p_dry_run then
    begin
      v_result := heller.renew(p_account_id, p_hold_id, p_seconds, p_unit, p_if_version);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_seconds(p_seconds);
  a := heller._lock(p_account_id, p_unit);
  perform heller._check_version(a, p_if_version);
  perform heller._open_hold(p_account_id, p_unit, p_hold_id);
  update heller.holds set expires_at = greatest(expires_at, v_now + make_interval(secs => p_seconds))
  where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id returning * into h;
  update heller.accounts set version = version + 1 where account_id = p_account_id and unit = p_unit;
  perform heller._reset_due(p_account_id, p_unit);
  return heller._hold_result(h) || jsonb_build_object('available', a.posted - a.held + a.overdraft_limit);
end $$;
comment on function heller.renew(text, bigint, integer, text, bigint, boolean) is 'Makes a hold last at least p_seconds from now; it never ends sooner than before.';
