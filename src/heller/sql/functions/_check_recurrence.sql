create or replace function heller._check_recurrence(p_period text, p_time_zone text, p_rollover bigint, p_expires boolean) returns text
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_time_zone text := case when p_time_zone = 'UTC' then p_time_zone  -- the list of all is read from files, in 15 ms
                           else (select name from pg_timezone_names where lower(name) = lower(p_time_zone)) end;
begin
  if p_period is null or p_period not in ('day', 'week', 'month', 'quarter', 'year') then
    perform heller._fail('HL001', format('period %s is not one of day, week, month, quarter, year', p_period), '{"argument": "period"}');
  elsif v_time_zone is null then
    perform heller._fail('HL001', format('there is no time zone %s; give a name such as Europe/Berlin', p_time_zone), '{"argument": "time_zone"}');
  elsif p_rollover is null or p_rollover < 0 then
    perform heller._fail('HL001', 'rollover must be at least 0; it is how many credits live on for one more period', '{"argument": "rollover"}');
  elsif p_expires is null or not p_expires and p_rollover > 0 then
    perform heller._fail('HL001', 'what never expires has nothing to roll over; give rollover or expires false, not both', '{"argument": "expires"}');
  end if;
  return v_time_zone;
end $$;
comment on function heller._check_recurrence(text, text, bigint, boolean) is 'The time zone as PostgreSQL spells it, once all that says how credits recur is in order.';
