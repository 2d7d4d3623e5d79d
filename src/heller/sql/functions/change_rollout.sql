create or replace function heller.change_rollout(
  p_event text, p_actor text, p_reason text, p_evidence jsonb default '{}', p_version bigint default null, p_rollout text default 'home'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  r heller.rollouts;
  v_is_allowed boolean;
begin
  perform heller._check_text('actor', p_actor, 200);
  perform heller._check_text('reason', p_reason, 2000);
  select * into r from heller.rollouts where rollout = p_rollout for update;
  if not found then
    perform heller._fail('HL001', format('rollout %s was not started; start it first', p_rollout), '{"argument": "rollout"}');
  elsif r.version <> p_version then
    perform heller._fail('HL014', format('rollout %s is at version %s, not %s', p_rollout, r.version, p_version),
                         jsonb_build_object('expected', p_version, 'actual', r.version));
  end if;
  v_is_allowed := case p_event
    when 'promote' then r.state = 'running'
    when 'halt' then r.state = 'running'
    when 'breach_halt' then r.state in ('running', 'halted') and r.breach is null
    when 'breach_rollback' then r.state in ('running', 'halted') and r.breach is null
    when 'resume' then r.state = 'halted'
    when 'rollback' then r.state in ('running', 'halted', 'done')
    when 'rolled_back' then r.state = 'rolling_back'
    when 'fallback_on' then not r.legacy_fallback
    when 'fallback_off' then r.legacy_fallback
    else false end;
  if not v_is_allowed then
    perform heller._fail('HL001', format('a rollout that is %s cannot take %s', r.state, p_event), '{"argument": "event"}');
  end if;
  update heller.rollouts set
    state = case p_event
      when 'promote' then case when stage >= cardinality(stages) then 'done' else 'running' end
      when 'halt' then 'halted' when 'breach_halt' then 'halted' when 'breach_rollback' then 'rolling_back'
      when 'resume' then 'running' when 'rollback' then 'rolling_back' when 'rolled_back' then 'rolled_back' else state end,
    stage = case p_event when 'promote' then least(stage + 1, cardinality(stages)) when 'rolled_back' then 0 else stage end,
    stage_since = case when p_event in ('promote', 'resume') then clock_timestamp() else stage_since end,
    verdict = case when p_event in ('promote', 'resume') then '{}' else verdict end,
    gate_passed_at = case when p_event in ('promote', 'resume', 'rolled_back') then null else gate_passed_at end,
    breach = case when p_event in ('breach_halt', 'breach_rollback') then p_evidence when p_event = 'resume' then null else breach end,
    legacy_fallback = case p_event when 'fallback_on' then true when 'fallback_off' then false else legacy_fallback end,
    reason = p_reason, actor = p_actor, changed_at = clock_timestamp(), version = version + 1
  where rollout = p_rollout returning * into r;
  insert into heller.rollout_log (rollout, event, state, stage, reason, actor, evidence)
  values (p_rollout, p_event, r.state, r.stage, p_reason, p_actor, coalesce(p_evidence, '{}'));
  return to_jsonb(r);
end $$;
comment on function heller.change_rollout(text, text, text, jsonb, bigint, text) is
  'One step of the state machine, with its log entry: promote, halt, breach_halt, breach_rollback, resume, rollback, rolled_back, fallback_on, fallback_off. Latched: only resume, by a named person, leaves halted.';
