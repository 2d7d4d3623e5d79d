create or replace function heller.stripe_count(p_outcomes jsonb) returns void
language sql security definer set search_path = pg_catalog as $$
  insert into heller.stripe_counts as c (hour, outcome, count, last_at)
  select date_trunc('hour', clock_timestamp()), key, value::bigint, clock_timestamp() from jsonb_each_text(p_outcomes) order by key
  on conflict (hour, outcome) do update set count = c.count + excluded.count, last_at = excluded.last_at
$$;
comment on function heller.stripe_count(jsonb) is 'Adds to the hourly counts of how deliveries ended.';
