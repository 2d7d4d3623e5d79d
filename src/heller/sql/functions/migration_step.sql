create or replace function heller.migration_step(p_step_id bigint) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(s) || jsonb_build_object('state', heller._migration_step_state(s)) from heller.migration_steps s where step_id = p_step_id
$$;
comment on function heller.migration_step(bigint) is 'One step of a migration with its result.';
