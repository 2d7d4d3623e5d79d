create or replace function heller.checklist_facts() returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  with day as (select clock_timestamp() - interval '24 hours' as since)
  select jsonb_build_object(
    'evidence', (select coalesce(jsonb_object_agg(kind, jsonb_build_object('ok', ok, 'at', at, 'detail', detail)), '{}')
                 from (select distinct on (kind) * from heller.evidence order by kind, evidence_id desc) e),
    'steps', (select coalesce(jsonb_object_agg(step, jsonb_build_object('at', finished_at, 'error', error, 'ok', result -> 'ok')), '{}')
              from (select distinct on (step) * from heller.migration_steps where finished_at is not null order by step, step_id desc) s),
    'run', (select jsonb_build_object('at', finished_at, 'summary', summary) from heller.migration_runs where finished_at is not null
            order by run_id desc limit 1),
    'worker_at', (select max(succeeded_at) from heller.jobs),
    'test_purchases', (select count(*) from heller.payments where livemode is false and order_id is not null and paid > 0),
    'test_refunds', (select count(*) from heller.payments where livemode is false and order_id is not null and paid > 0 and taken_back > 0),
    'rollout', (select jsonb_build_object('state', state, 'percent', case when stage = 0 then 0 else stages[stage] end, 'since', stage_since,
                'actor', actor, 'reason', reason) from heller.rollouts where rollout = 'home'),
    'rolled_back_at', (select max(at) from heller.rollout_log where state = 'rolled_back'),
    'returned', (select count(*) from heller.homes where returned_at is not null),
    'operations', (select heller._operation_figures(day.since, clock_timestamp()) from day),
    'webhooks', (select jsonb_build_object('accepted', coalesce(sum(count) filter (where outcome like 'secret\_%'), 0),
                   'unavailable', coalesce(sum(count) filter (where outcome in ('unavailable', 'defect')), 0))
                 from heller.stripe_counts, day where hour >= date_trunc('hour', day.since)),
    'first_delivery_at', (select min(hour) from heller.stripe_counts where outcome like 'secret\_%'),
    'dead', (select count(*) from heller.inbox where status = 'dead'),
    'missed', (select count(*) from heller.inbox, day where via = 'reconcile' and received_at >= day.since),
    'healed', (select count(*) from heller.discrepancies, day where state = 'healed' and found_at >= day.since))
$$;
comment on function heller.checklist_facts() is 'What the checklist finds in the database: evidence, steps of the migration, test purchases, rollout, webhooks of the last day.';
