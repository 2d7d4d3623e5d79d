create or replace function heller.record_delivery(
  p_endpoint_id text, p_position jsonb, p_delivered integer default 0, p_error text default null, p_again_seconds integer default 1, p_failures_max integer default 20,
  p_attempts jsonb default '[]'
) returns jsonb
language sql security definer set search_path = pg_catalog as $$
  select heller.record_delivery_v2(p_endpoint_id, w.due_at, p_position, p_delivered, p_error, p_again_seconds, p_failures_max, p_attempts)
  from heller.webhook_endpoints w where w.endpoint_id = p_endpoint_id
$$;
comment on function heller.record_delivery(text, jsonb, integer, text, integer, integer, jsonb) is
  'As record_delivery_v2, whoever holds the lease: for workers of 0.1.0.';
