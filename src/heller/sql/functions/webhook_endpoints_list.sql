create or replace function heller.webhook_endpoints_list(p_after text default '', p_limit integer default 1000) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._webhook_endpoint_result(e) from heller.webhook_endpoints e where e.endpoint_id > p_after
  order by e.endpoint_id limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.webhook_endpoints_list(text, integer) is
  'The endpoints events are sent to, at most 1000 a call; the next page is after the last endpoint of this one.';
