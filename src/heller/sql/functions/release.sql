create or replace function heller.release(
  p_account_id text, p_hold_id bigint, p_unit text default 'credit', p_if_version bigint default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  h heller.holds;
  v_result jsonb;
begin
  if p_dry_run then
    begin
      v_result := heller.release(p_account_id, p_hold_id, p_unit, p_if_version);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  select * into h from heller.holds where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id;
  if found and h.state = 'released' then
    return heller._hold_result(h) || jsonb_build_object('available', a.posted - a.held + a.overdraft_limit, 'replayed', true);
  end if;
  perform heller._check_version(a, p_if_version, p_even_frozen => true);
  perform heller._open_hold(p_account_id, p_unit, p_hold_id);
  perform heller._close_hold(p_account_id, p_unit, p_hold_id, 'released', heller._clock());
  a := heller._finish(p_account_id, p_unit);
  select * into h from heller.holds where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id;
  return heller._hold_result(h) || jsonb_build_object('available', a.posted - a.held + a.overdraft_limit);
end $$;
comment on function heller.release(text, bigint, text, bigint, boolean) is 'Ends a hold without spending; doing it again answers the same.';
