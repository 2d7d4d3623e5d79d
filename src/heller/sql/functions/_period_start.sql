create or replace function heller._period_start(p_period text, p_at timestamptz) returns timestamptz
language sql stable parallel safe set search_path = pg_catalog as $$
  select case p_period when 'ever' then '1900-01-01 00:00:00+00'::timestamptz else date_trunc(p_period, p_at, 'UTC') end
$$;
comment on function heller._period_start(text, timestamptz) is 'When the calendar period (UTC) that holds an instant began.';
