create or replace function heller.migration_runs_list(p_limit integer default 50) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(r) || jsonb_build_object(
    'quarantined', (select count(*) from heller.migration_outcomes o where o.source_system = r.source_system and o.outcome = 'quarantined' and o.run_id = r.run_id),
    'merged', (select count(*) from heller.migration_outcomes o where o.source_system = r.source_system and o.outcome = 'merged' and o.run_id = r.run_id))
  from heller.migration_runs r order by run_id desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.migration_runs_list(integer) is 'The copies from legacy databases, newest first, with their decisions and results.';
