create or replace function heller.observations_since(p_after bigint, p_since timestamptz, p_limit integer default 50000, p_rollout text default 'home')
returns table (observation bigint, arm text, what text, failed boolean, milliseconds integer, account_id text)
language sql stable security definer set search_path = pg_catalog as $$
  select o.observation, o.arm, o.what, o.failed, o.milliseconds, o.account_id from heller.observations o
  where o.rollout = p_rollout and o.observation > p_after and o.at >= p_since and o.counts
    and o.at < clock_timestamp() - interval '1 second'  -- later numbers may be committed before earlier ones
  order by o.observation limit least(greatest(p_limit, 1), 50000)
$$;
comment on function heller.observations_since(bigint, timestamptz, integer, text) is 'What counts for the guardrails and was not weighed yet, in order.';
