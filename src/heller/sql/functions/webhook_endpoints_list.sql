create or replace function heller.webhook_endpoints_list() returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._webhook_endpoint_result(e) from heller.webhook_endpoints e order by e.endpoint_id limit 1000
$$;
comment on function heller.webhook_endpoints_list() is 'The endpoints events are sent to.';
