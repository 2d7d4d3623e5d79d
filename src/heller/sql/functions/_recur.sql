create or replace function heller._recur(a heller.accounts, p_at timestamptz) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_count integer;
begin
  insert into heller.grants select d.* from heller._recurring_due(a, p_at) d;
  get diagnostics v_count = row_count;
  if v_count > 0 then
    update heller.accounts set last_grant = last_grant + v_count, version = version + v_count where account_id = a.account_id and unit = a.unit;
  end if;
  perform heller._pass_periods(a, p_at);
end $$;
comment on function heller._recur(heller.accounts, timestamptz) is
  'Writes a scheduled grant for each recurring period that has begun by an instant. The account must be locked.';
