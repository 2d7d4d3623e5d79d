create or replace function heller._webhook_endpoint_result(e heller.webhook_endpoints) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select jsonb_build_object('endpoint', (e).endpoint_id, 'url', (e).url, 'account', (e).account_id, 'kinds', (e).kinds, 'position', (e).position,
    'failures', (e).failures, 'due_at', (e).due_at, 'last_error', (e).last_error, 'delivered_at', (e).delivered_at,
    'disabled', (e).disabled_at is not null, 'created_at', (e).created_at)
$$;
comment on function heller._webhook_endpoint_result(heller.webhook_endpoints) is 'What is known of an endpoint; never its secret.';
