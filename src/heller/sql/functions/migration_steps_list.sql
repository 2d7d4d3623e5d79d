create or replace function heller.migration_steps_list(p_limit integer default 50, p_before bigint default null) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(s) - 'result' || jsonb_build_object('state', heller._migration_step_state(s)) from heller.migration_steps s
  where p_before is null or step_id < p_before order by step_id desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.migration_steps_list(integer, bigint) is 'The steps of migrations without their results, newest first.';
