create or replace function heller.migration_runs_list(p_limit integer default 50, p_before bigint default null) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(r) || jsonb_build_object(
    'quarantined', (select count(*) from heller.migration_outcomes o where o.source_system = r.source_system and o.outcome = 'quarantined' and o.run_id = r.run_id),
    'merged', (select count(*) from heller.migration_outcomes o where o.source_system = r.source_system and o.outcome = 'merged' and o.run_id = r.run_id))
  from heller.migration_runs r where p_before is null or r.run_id < p_before order by run_id desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.migration_runs_list(integer, bigint) is
  'The copies from legacy databases, newest first, with their decisions and results; the next page is before the last run_id of this one.';
