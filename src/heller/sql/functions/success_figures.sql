create or replace function heller.success_figures(p_from timestamptz, p_until timestamptz) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._check_period(p_from, p_until);
  select jsonb_build_object(
    'from', p_from, 'until', p_until,
    'trial_balance', heller.trial_balance(),
    'verified', (select jsonb_build_object('ok', ok, 'at', at, 'detail', detail) from heller.evidence where kind = 'verify' order by evidence_id desc limit 1),
    'operations', heller._operation_figures(p_from, p_until),
    'webhooks', (select jsonb_build_object('accepted', coalesce(sum(count) filter (where outcome like 'secret\_%'), 0),
                   'unavailable', coalesce(sum(count) filter (where outcome in ('unavailable', 'defect')), 0),
                   'not_believed', coalesce(sum(count) filter (where outcome not like 'secret\_%' and outcome not in ('unavailable', 'defect')), 0))
                 from heller.stripe_counts where hour >= date_trunc('hour', p_from) and hour < p_until),
    'events', (select jsonb_build_object('received', count(*), 'dead', count(*) filter (where status = 'dead'), 'parked', count(*) filter (where status = 'parked'),
                 'missed', count(*) filter (where via = 'reconcile')) from heller.inbox where received_at >= p_from and received_at < p_until))
$$;
comment on function heller.success_figures(timestamptz, timestamptz) is
  'Whether the move succeeded: what the books say, operations by home (legacy is before, heller after), webhooks taken and lost.';
