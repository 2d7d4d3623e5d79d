create or replace function heller.forget_observations(p_before timestamptz, p_limit integer default 10000) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_gone bigint := 0;
  v_these bigint;
  r record;
begin
  for r in select x.rollout, y.arm from (select rollout from heller.rollouts union select 'home') x, (values ('heller'), ('legacy')) y (arm) loop
    with oldest as (  -- by number, which is the order of time but for the last instants: no index on the time is needed
      select o.rollout, o.operation_id, o.at from heller.observations o
      where o.rollout = r.rollout and o.arm = r.arm order by o.observation limit p_limit
    )
    delete from heller.observations o using oldest
    where o.rollout = oldest.rollout and o.operation_id = oldest.operation_id and oldest.at < p_before;
    get diagnostics v_these = row_count;
    v_gone := v_gone + v_these;
  end loop;
  return v_gone;
end $$;
comment on function heller.forget_observations(timestamptz, integer) is
  'Deletes the oldest outcomes recorded before an instant, at most p_limit of each arm; how many. The guardrails look at those of the stage alone.';
