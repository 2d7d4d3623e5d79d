create or replace function heller.rollout_log_of(p_limit integer default 100, p_rollout text default 'home') returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(l) from heller.rollout_log l where rollout = p_rollout order by entry desc limit least(p_limit, 1000)
$$;
comment on function heller.rollout_log_of(integer, text) is 'What was done to the rollout, by whom and why, newest first.';
