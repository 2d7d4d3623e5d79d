create or replace function heller.remove_webhook_endpoint(p_endpoint_id text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
  delete from heller.webhook_endpoints where endpoint_id = p_endpoint_id;
  return found;
end $$;
comment on function heller.remove_webhook_endpoint(text) is 'Sends nothing more there; false when there was no such endpoint.';
