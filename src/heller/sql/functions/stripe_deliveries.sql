create or replace function heller.stripe_deliveries(
  p_status text default null, p_payment_key text default null, p_type text default null, p_event_id text default null,
  p_since timestamptz default null, p_before bigint default null, p_limit integer default 50
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog
set plan_cache_mode = force_custom_plan as $$  -- each kind of question has its own index
begin
  return query
    select to_jsonb(i) - 'body' - 'body_sha256' || jsonb_build_object('bytes', octet_length(i.body), 'sha256', encode(i.body_sha256, 'hex'))
    from heller.inbox i
    where (p_status is null or status = p_status) and (p_payment_key is null or payment_key = p_payment_key) and (p_type is null or type = p_type)
      and (p_event_id is null or event_id = p_event_id) and (p_since is null or received_at >= p_since) and (p_before is null or inbox_id < p_before)
    order by inbox_id desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.stripe_deliveries(text, text, text, text, timestamptz, bigint, integer) is 'The inbox without bodies, newest first, at most 1000 a call; the next page is before the last inbox_id of this one.';
