create or replace function heller.rollout_log_of(p_limit integer default 100, p_rollout text default 'home', p_before bigint default null)
returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(l) from heller.rollout_log l where rollout = p_rollout and (p_before is null or entry < p_before) order by entry desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.rollout_log_of(integer, text, bigint) is
  'What was done to the rollout, by whom and why, newest first; the next page is before the last entry of this one.';
