create or replace function heller.record_delivery_v2(
  p_endpoint_id text, p_lease timestamptz, p_position jsonb, p_delivered integer default 0, p_error text default null,
  p_again_seconds integer default 1, p_failures_max integer default 20, p_attempts jsonb default '[]'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  e heller.webhook_endpoints;
begin
  update heller.webhook_endpoints set
    position = coalesce(p_position, position),
    delivered_at = case when p_delivered > 0 then heller._clock() else delivered_at end,
    failures = case when p_error is null then 0 when p_delivered > 0 then 1 else failures + 1 end,
    last_error = left(p_error, 500),
    attempts = jsonb_path_query_array(p_attempts || attempts, '$[0 to 49]'),
    -- after a failure twice as long each time, up to six hours
    due_at = heller._clock() + make_interval(secs => case when p_error is null then p_again_seconds else least(5 * 2 ^ least(failures, 20), 21600) end),
    disabled_at = case when p_error is not null and p_delivered = 0 and failures + 1 >= p_failures_max then heller._clock() end
  where endpoint_id = p_endpoint_id and due_at = p_lease returning * into e;
  if not found then return null; end if;  -- the lease ended, or somebody changed the endpoint: what they said stands
  return heller._webhook_endpoint_result(e);
end $$;
comment on function heller.record_delivery_v2(text, timestamptz, jsonb, integer, text, integer, integer, jsonb) is
  'Says how far an endpoint has taken events under the lease of its claim, and what went wrong, with each attempt (newest first; the last 50 are kept); p_failures_max failures in a row (about four days) disable it. Null when the lease ended or the endpoint was changed meanwhile: nothing is written down.';
