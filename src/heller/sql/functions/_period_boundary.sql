create or replace function heller._period_boundary(p_anchor timestamptz, p_time_zone text, p_period text, p_number bigint) returns timestamptz
language sql stable parallel safe set search_path = pg_catalog as $$
  select timezone(p_time_zone, timezone(p_time_zone, p_anchor) + case p_period
    when 'day' then make_interval(days => p_number::integer)
    when 'week' then make_interval(weeks => p_number::integer)
    when 'month' then make_interval(months => p_number::integer)
    when 'quarter' then make_interval(months => 3 * p_number::integer)
    when 'year' then make_interval(years => p_number::integer) end)
$$;
comment on function heller._period_boundary(timestamptz, text, text, bigint) is
  'When period number p_number begins, counted from the anchor (0): by the calendar of the time zone, and always from the anchor, so that the 31st is the last day of short months and the 31st again after them.';
