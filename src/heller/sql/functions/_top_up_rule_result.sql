create or replace function heller._top_up_rule_result(r heller.top_up_rules) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select jsonb_build_object('account', (r).account_id, 'unit', (r).unit, 'threshold', (r).threshold, 'price', (r).price, 'quantity', (r).quantity,
    'ceiling', (r).ceiling, 'ceiling_days', (r).ceiling_days, 'cooldown_seconds', (r).cooldown_seconds, 'failures_max', (r).failures_max,
    'failures', (r).failures, 'attempted_at', (r).attempted_at, 'paused_at', (r).paused_at, 'paused_reason', (r).paused_reason)
$$;
comment on function heller._top_up_rule_result(heller.top_up_rules) is 'What is known of a top-up rule.';
