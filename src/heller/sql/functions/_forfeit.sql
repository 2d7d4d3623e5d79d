create or replace function heller._forfeit(a heller.accounts, p_at timestamptz) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  g record;
  v_held bigint := a.held;
begin
  a := heller._settle(a);
  a.held := v_held;
  for g in
    select f.grant_id, f.forfeit, case when s.ended_at is null then s.expires_at else p_at end as at from heller._grants_at(a, p_at) f join heller.grants s
      on s.account_id = a.account_id and s.unit = a.unit and s.grant_id = f.grant_id
    where s.seq is not null and f.forfeit > 0 order by s.expires_at, f.grant_id
  loop
    a := heller._forfeit_grant(a, g.grant_id, g.forfeit, g.at);
  end loop;
  update heller.grants set ended_at = expires_at
  where account_id = a.account_id and unit = a.unit and seq is not null and ended_at is null and expires_at <= p_at;
  return a;
end $$;
comment on function heller._forfeit(heller.accounts, timestamptz) is
  'Forfeits what is left of the grants that have expired, but for what open holds promise. a.held may be ahead of the stored row.';
