create or replace function heller._period_number(p_anchor timestamptz, p_time_zone text, p_period text, p_at timestamptz) returns bigint
language sql stable parallel safe set search_path = pg_catalog as $$
  select max(n) from (
    select floor(extract(epoch from p_at - p_anchor)
                 / case p_period when 'day' then 86400 when 'week' then 604800 when 'month' then 2629746 when 'quarter' then 7889238 else 31556952 end)::bigint
  ) e (about), generate_series(about - 2, about + 2) n  -- no calendar is further than that from the average
  where heller._period_boundary(p_anchor, p_time_zone, p_period, n) <= p_at
$$;
comment on function heller._period_number(timestamptz, text, text, timestamptz) is 'The number of the period, counted from the anchor, that holds an instant.';
