create or replace function heller.claim_webhook_endpoint(p_lease_seconds integer default 120) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  e heller.webhook_endpoints;
begin
  select * into e from heller.webhook_endpoints where disabled_at is null and due_at <= heller._clock()
  order by due_at limit 1 for update skip locked;
  if not found then return null; end if;
  e.due_at := heller._clock() + make_interval(secs => p_lease_seconds);
  update heller.webhook_endpoints set due_at = e.due_at where endpoint_id = e.endpoint_id;
  return heller._webhook_endpoint_result(e) || jsonb_build_object('secret', e.secret, 'lease', e.due_at);
end $$;
comment on function heller.claim_webhook_endpoint(integer) is
  'The endpoint that has waited longest, leased to the caller; null when none is due. Another takes it when the lease ends without a word.';
