create or replace function heller.webhook_endpoint_signed(p_endpoint_id text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  e heller.webhook_endpoints;
begin
  select * into e from heller.webhook_endpoints where endpoint_id = p_endpoint_id;
  if not found then
    perform heller._fail('HL001', format('there is no endpoint %s', p_endpoint_id), '{"argument": "endpoint"}');
  end if;
  return heller._webhook_endpoint_result(e) || jsonb_build_object('secret', e.secret);
end $$;
comment on function heller.webhook_endpoint_signed(text) is
  'An endpoint with the secret that signs what is sent there, for a test of it; nothing is claimed or changed.';
