create or replace function heller.note_rollout_verdict(p_version bigint, p_verdict jsonb, p_gate_passed boolean, p_rollout text default 'home') returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
  update heller.rollouts set verdict = p_verdict, evaluated_at = clock_timestamp(),
    gate_passed_at = case when p_gate_passed then coalesce(gate_passed_at, clock_timestamp()) end
  where rollout = p_rollout and version = p_version;
  return found;
end $$;
comment on function heller.note_rollout_verdict(bigint, jsonb, boolean, text) is
  'Keeps what the guardrails said, unless the rollout was changed since it was read.';
