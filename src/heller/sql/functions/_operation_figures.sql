create or replace function heller._operation_figures(p_from timestamptz, p_until timestamptz) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select coalesce(jsonb_object_agg(arm, figures), '{}') from (
    select o.arm, jsonb_build_object('count', count(*), 'failed', count(*) filter (where o.failed), 'error_ratio', round(avg(o.failed::integer), 6),
             'p50_milliseconds', percentile_disc(0.5) within group (order by o.milliseconds),
             'p95_milliseconds', percentile_disc(0.95) within group (order by o.milliseconds),
             'p99_milliseconds', percentile_disc(0.99) within group (order by o.milliseconds)) as figures
    from heller.observations o where o.at >= p_from and o.at < p_until and o.what <> 'webhook' group by o.arm) x
$$;
comment on function heller._operation_figures(timestamptz, timestamptz) is
  'Credit operations of a period by the home that served them: how many, how many failed, how long they took.';
