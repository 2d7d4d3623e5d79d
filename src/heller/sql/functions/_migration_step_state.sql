create or replace function heller._migration_step_state(s heller.migration_steps) returns text
language sql volatile set search_path = pg_catalog as $$
  select case when (s).error is not null then 'failed' when (s).finished_at is not null then 'finished'
              when (s).seen_at < clock_timestamp() - interval '15 seconds' then 'killed' else 'running' end
$$;
comment on function heller._migration_step_state(heller.migration_steps) is 'running, finished, failed, or killed: not seen for fifteen seconds.';
