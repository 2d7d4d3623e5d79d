create or replace function heller.start_rollout(
  p_actor text, p_reason text, p_stages integer[] default '{10,50,100}', p_bucketing text default 'keyed', p_salt text default null,
  p_soak_seconds integer default 86400, p_settings jsonb default '{}', p_rollout text default 'home'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  r heller.rollouts;
begin
  perform heller._check_text('actor', p_actor, 200);
  perform heller._check_text('reason', p_reason, 2000);
  if cardinality(p_stages) not between 1 and 20
     or exists (select from unnest(p_stages) with ordinality s (share, n) where share not between 1 and 100
                or share <= coalesce((select max(e.share) from unnest(p_stages) with ordinality e (share, n) where e.n < s.n), 0)) then
    perform heller._fail('HL001', 'stages must ascend within 1 to 100', '{"argument": "stages"}');
  elsif p_soak_seconds is null or p_soak_seconds < 0 then
    perform heller._fail('HL001', 'soak_seconds is negative', '{"argument": "soak_seconds"}');
  end if;
  select * into r from heller.rollouts where rollout = p_rollout for update;
  if found and r.state not in ('rolled_back', 'done') then
    perform heller._fail('HL001', format('rollout %s is %s already', p_rollout, r.state), '{"argument": "rollout"}');
  end if;
  insert into heller.rollouts as x (rollout, state, stages, stage, bucketing, salt, soak_seconds, settings, reason, actor)
  values (p_rollout, 'running', p_stages, 1, p_bucketing, coalesce(p_salt, r.salt, gen_random_uuid()::text), p_soak_seconds, coalesce(p_settings, '{}'),
          p_reason, p_actor)
  on conflict (rollout) do update set state = 'running', stages = p_stages, stage = 1, bucketing = p_bucketing, salt = excluded.salt,
    soak_seconds = p_soak_seconds, settings = excluded.settings, verdict = '{}', breach = null, legacy_fallback = false, reason = p_reason,
    actor = p_actor, started_at = clock_timestamp(), stage_since = clock_timestamp(), gate_passed_at = null, evaluated_at = null,
    changed_at = clock_timestamp(), version = x.version + 1
  returning * into r;
  insert into heller.rollout_log (rollout, event, state, stage, reason, actor) values (p_rollout, 'start', r.state, r.stage, p_reason, p_actor);
  return to_jsonb(r);
end $$;
comment on function heller.start_rollout(text, text, integer[], text, text, integer, jsonb, text) is
  'Begins the gradual change of homes at its first stage. A salt is kept from one start to the next, so that users keep their buckets.';
