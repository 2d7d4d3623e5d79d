create or replace function heller._check_recurrence(p_period text, p_time_zone text, p_rollover bigint, p_expires boolean) returns text
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_time_zone text;
begin
  if p_period is null or p_period not in ('day', 'week', 'month', 'quarter', 'year') then
    perform heller._fail('HL001', format('period %s is not one of day, week, month, quarter, year', p_period), '{"argument": "period"}');
  end if;
  v_time_zone := heller._check_time_zone('time_zone', p_time_zone);
  if p_rollover is null or p_rollover < 0 then
    perform heller._fail('HL001', 'rollover must be at least 0; it is how many credits live on for one more period', '{"argument": "rollover"}');
  elsif p_expires is null or not p_expires and p_rollover > 0 then
    perform heller._fail('HL001', 'what never expires has nothing to roll over; give rollover or expires false, not both', '{"argument": "expires"}');
  end if;
  return v_time_zone;
end $$;
comment on function heller._check_recurrence(text, text, bigint, boolean) is 'The time zone as PostgreSQL spells it, once all that says how credits recur is in order.';
