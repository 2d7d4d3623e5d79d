create or replace function heller._alert_result(l heller.alerts) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select jsonb_build_object('account', (l).account_id, 'unit', (l).unit, 'threshold', (l).threshold, 'rearm_at', (l).rearm_at,
    'armed', (l).fired_at is null, 'fired_at', (l).fired_at)
$$;
comment on function heller._alert_result(heller.alerts) is 'What is known of an alert.';
