create or replace function heller.metrics() returns jsonb
language sql security definer set search_path = pg_catalog as $$
  select jsonb_build_object(
    'books', heller.books(300),
    'due_accounts', (select count(*) from heller.accounts where next_due_at <= clock_timestamp()),
    'due_oldest_seconds', (select coalesce(extract(epoch from clock_timestamp() - min(next_due_at)), 0) from heller.accounts where next_due_at <= clock_timestamp()),
    'inbox', (select coalesce(jsonb_object_agg(status, n), '{}') from (select status, count(*) as n from heller.inbox
              where status in ('pending', 'processing', 'parked', 'dead') group by status) x),
    'inbox_oldest_seconds', (select coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0) from heller.inbox where status in ('pending', 'processing')),
    'deliveries', (select coalesce(jsonb_object_agg(outcome, n), '{}') from (select outcome, sum(count) as n from heller.stripe_counts group by outcome) x),
    'open_discrepancies', (select count(*) from heller.discrepancies where state = 'open'),
    'healed_discrepancies', (select count(*) from heller.discrepancies where state = 'healed'),
    'endpoints', (select coalesce(jsonb_object_agg(e ->> 'endpoint', jsonb_build_object('failures', e -> 'failures', 'disabled', e -> 'disabled')), '{}')
                  from heller.webhook_endpoints_list() e),
    'jobs', (select coalesce(jsonb_object_agg(job, jsonb_build_object('runs', runs, 'failures', failures, 'seconds', seconds,
             'succeeded_at', extract(epoch from succeeded_at))), '{}') from heller.jobs),
    'anchor_at', (select extract(epoch from max(at)) from heller.anchors),
    'invariants', (select answer -> 'value' from heller.jobs where job = 'invariants'),
    'operations', heller._operation_figures(clock_timestamp() - interval '5 minutes', clock_timestamp()),
    'rollout', (select jsonb_build_object('state', state, 'percent', case when stage = 0 then 0 else stages[stage] end,
                'homes', coalesce(verdict #> '{invariants,at_home}', '{}'), 'invariants_ok', verdict #> '{invariants,ok}') from heller.rollouts where rollout = 'home'))
$$;
comment on function heller.metrics() is
  'What monitoring looks at, in one answer: books (counted at most every five minutes), queues, jobs, operations of the last five minutes, rollout.';
