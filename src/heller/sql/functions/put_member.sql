create or replace function heller.put_member(
  p_account_id text, p_member_id text, p_cap bigint default null, p_period text default 'month', p_unit text default 'credit'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
begin
  perform heller._check_text('member', p_member_id, 200);
  if p_cap < 0 then
    perform heller._fail('HL001', 'cap is negative; it says how much a member may spend in a period', '{"argument": "cap"}');
  elsif p_period is null or p_period not in ('day', 'week', 'month', 'year', 'ever') then
    perform heller._fail('HL001', format('period %s is not one of day, week, month, year, ever', p_period), '{"argument": "period"}');
  end if;
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  insert into heller.members (account_id, unit, member_id, cap, period, joined_at)
  values (p_account_id, p_unit, p_member_id, p_cap, p_period, heller._clock())
  on conflict (account_id, unit, member_id) do update set cap = excluded.cap, period = excluded.period, left_at = null;
  return heller._member_result(row(m.*)::heller.members) from heller.members m where account_id = p_account_id and unit = p_unit and member_id = p_member_id;
end $$;
comment on function heller.put_member(text, text, bigint, text, text) is
  'Lets somebody spend from a team''s account, up to a cap per period (calendar periods in UTC); again changes the cap.';
