create or replace function heller.webhook_attempts_of(p_endpoint_id text) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  e heller.webhook_endpoints;
begin
  select * into e from heller.webhook_endpoints where endpoint_id = p_endpoint_id;
  if not found then
    perform heller._fail('HL001', format('there is no endpoint %s', p_endpoint_id), '{"argument": "endpoint"}');
  end if;
  return query select * from jsonb_array_elements(e.attempts);
end $$;
comment on function heller.webhook_attempts_of(text) is 'The last attempts to send events to an endpoint, newest first, at most 50.';
