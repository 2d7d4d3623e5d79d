create or replace function heller.rollout_of(p_rollout text default 'home') returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(r) from heller.rollouts r where rollout = p_rollout
$$;
comment on function heller.rollout_of(text) is 'The rollout as it stands; null when none was ever started.';
